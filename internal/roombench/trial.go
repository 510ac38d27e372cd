package roombench

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomtoken"
	"github.com/muster-fleet/muster/internal/rtcload"
)

const (
	trialRoom = "trial"
	// moveTime is how long a person may take to be served again; one that takes
	// longer is lost.
	moveTime = 30 * time.Second
)

// TrialOptions say what happens to the SFU of a room.
type TrialOptions struct {
	// Muster is the program.
	Muster string
	// People are in the room, Senders of them send a picture and sound of Rate
	// frames a second each.
	People, Senders, Rate int
	// Browser adds a page of headless Chromium, which joins Joins times, and a tab
	// that sends to it.
	Browser bool
	Joins   int
	// Drains and Kills are how often the SFU is drained, and killed.
	Drains, Kills int
	// Progress hears what has happened, in a line.
	Progress func(string)
}

// DefaultTrialOptions returns what the figures in the documentation use.
func DefaultTrialOptions() TrialOptions {
	return TrialOptions{People: 50, Senders: 2, Rate: 10, Joins: 20, Drains: 3, Kills: 20}
}

// TrialResult is what the people of a trial noticed. Times are in milliseconds.
type TrialResult struct {
	What string `json:"what"`
	// Count is how many times were measured.
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
	// Lost are the people who were not served again in time.
	Lost int `json:"lost"`
}

// trial is a room in a cluster of its own.
type trial struct {
	opts    TrialOptions
	key     roomtoken.Key
	url     string // of the queue
	portal  string
	client  *client.Client
	people  []*rtcload.Person
	page    *page
	joins   []time.Duration
	results []TrialResult
	stops   []func()
}

// RunTrial has people in a room while its SFU is drained and killed.
func RunTrial(ctx context.Context, o TrialOptions) ([]TrialResult, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	t := &trial{opts: o}
	defer func() {
		for _, stop := range slices.Backward(t.stops) {
			stop()
		}
	}()
	for _, step := range []func(context.Context) error{t.start, t.gather, t.drain, t.kill} {
		if err := step(ctx); err != nil {
			return t.results, fmt.Errorf("roombench: %w", err)
		}
	}
	return t.results, nil
}

var (
	clusterLine = regexp.MustCompile(`Cluster \S+ at (nats://\S+)`)
	linkLine    = regexp.MustCompile(`^ +(http://[^/]+)/r/`)
)

// start starts a cluster with two SFUs.
func (t *trial) start(ctx context.Context) error {
	secret := rand.Text()
	var err error
	if t.key, err = roomtoken.NewKey([]byte(secret)); err != nil {
		return err
	}
	out, err := t.run(ctx, []string{"MUSTER_ROOMS_KEY=" + secret}, "up", "--listen", "127.0.0.1:0", "--portal", "127.0.0.1:0", "--workers", "1", "--load", "memory")
	if err != nil {
		return err
	}
	for line := bufio.NewScanner(out); t.portal == "" && line.Scan(); {
		if m := clusterLine.FindStringSubmatch(line.Text()); m != nil {
			t.url = m[1]
		} else if m := linkLine.FindStringSubmatch(line.Text()); m != nil {
			t.portal = m[1]
		}
	}
	if t.portal == "" {
		return errors.New("the cluster did not start")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	dir, err := os.MkdirTemp("", "roombench")
	if err != nil {
		return err
	}
	t.stops = append(t.stops, func() { _ = os.RemoveAll(dir) })
	if _, err := t.run(ctx, nil, "agent", "--purpose", room.PurposeSFU, "--load", "memory", "--max-nodes", "1", "--per", "room", "--reuse", "--prerun", "1",
		"--notify", "--url", t.url, "--dir", dir, "--label", room.LabelSFU+"=second", "--", t.opts.Muster, "sfu"); err != nil {
		return err
	}
	conn, err := natsbus.Dial(ctx, bus.Options{URL: t.url})
	if err != nil {
		return err
	}
	t.stops = append(t.stops, func() { _ = conn.Close() })
	t.client = client.New(conn, client.Options{})
	return until(ctx, moveTime, func() bool {
		ws, err := t.client.Workers(ctx, room.PurposeSFU)
		ws = slices.DeleteFunc(ws, func(w muster.Worker) bool { return w.Status() != muster.StateReady.String() })
		return err == nil && len(ws) == 2
	})
}

// run starts a process of the program, which ends with the trial.
func (t *trial) run(ctx context.Context, env []string, args ...string) (io.Reader, error) {
	p, out, err := launch(ctx, append([]string{t.opts.Muster}, args...), env...)
	if err == nil {
		t.stops = append(t.stops, p.close)
	}
	return out, err
}

// until waits until something is true; it fails when that takes too long.
func until(ctx context.Context, most time.Duration, f func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !f() {
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (t *trial) token(user string, role room.Role) (string, error) {
	return t.key.Sign(roomtoken.Claims{Room: trialRoom, User: user, Role: role}, time.Now().Add(roomtoken.DefaultLife))
}

// gather has all people come, one after another, and measures how long each
// takes to see a first picture.
func (t *trial) gather(ctx context.Context) error {
	for i := range t.opts.People {
		if i == t.opts.Senders {
			if err := t.open(ctx); err != nil {
				return err
			}
		}
		o := rtcload.PersonOptions{Portals: []string{t.portal}, Rate: t.opts.Rate}
		role := room.Viewer
		if i < t.opts.Senders {
			role, o.Publish = room.Presenter, []string{"camera", "mic"}
		}
		first := make(chan struct{}, 64)
		o.OnFirst = func(track string) {
			if strings.HasSuffix(track, ".camera") {
				first <- struct{}{}
			}
		}
		var err error
		if o.Token, err = t.token(fmt.Sprint("person ", i), role); err != nil {
			return err
		}
		began := time.Now()
		p := rtcload.Enter(o)
		t.people = append(t.people, p)
		t.stops = append(t.stops, p.Close)
		if i == 0 {
			continue
		}
		select {
		case <-first:
		case <-time.After(moveTime):
			return fmt.Errorf("person %d sees no picture: %+v", i, p.View())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if i >= t.opts.Senders {
			t.joins = append(t.joins, time.Since(began))
			t.opts.Progress(fmt.Sprintf("person %d of %d sees a picture after %v", i+1, t.opts.People, time.Since(began).Round(time.Millisecond)))
		}
	}
	t.add("join until the first frame, pion", t.joins, 0)
	if err := t.joinPage(ctx); err != nil {
		return err
	}
	return t.served(ctx)
}

// open opens a page, and another that sends to it. New tracks make all
// connect again, so it is done while there are few.
func (t *trial) open(ctx context.Context) error {
	if !t.opts.Browser {
		return nil
	}
	token, err := t.token("browser", room.Presenter)
	if err != nil {
		return err
	}
	if t.page, err = openPage(ctx, t.portal+"/r/"+trialRoom+"#token="+token); err != nil {
		return err
	}
	t.stops = append(t.stops, t.page.close)
	return nil
}

// joinPage has the page join, again and again.
func (t *trial) joinPage(ctx context.Context) error {
	if t.page == nil {
		return nil
	}
	var joins []time.Duration
	for i := range max(t.opts.Joins, 1) {
		took, err := t.page.join(i > 0)
		if err != nil {
			return fmt.Errorf("page: joining: %w", err)
		}
		joins = append(joins, took)
		t.opts.Progress(fmt.Sprintf("the page has joined %d times, this time in %v", i+1, took.Round(time.Millisecond)))
	}
	t.add("join until the first frame, Chromium", joins, 0)
	return nil
}

// served waits until the frames of a second of each track have come to
// all people.
func (t *trial) served(ctx context.Context) error {
	senders := t.opts.Senders
	for i, p := range t.people {
		tracks := 2 * senders
		if i < senders {
			tracks -= 2 // a sender does not get its own
		}
		var before map[string]rtcload.Stream
		if err := until(ctx, moveTime, func() bool {
			v := p.View()
			if len(v.Streams) < tracks {
				return false
			}
			if before == nil {
				before = v.Streams
			}
			for track, s := range v.Streams {
				if s.Last < before[track].Last+uint32(t.opts.Rate) {
					return false
				}
			}
			return true
		}); err != nil {
			return fmt.Errorf("person %d: %w", i, err)
		}
	}
	if t.page != nil {
		return t.page.flows(ctx)
	}
	return nil
}

// moved waits until all people are at another part and served there, and returns
// how many are not.
func (t *trial) moved(ctx context.Context, part int) (lost int) {
	for _, p := range t.people {
		if until(ctx, moveTime, func() bool {
			v := p.View()
			return v.State.Part.Number > part && v.State.Part.Node != "" && !v.State.Part.Drained
		}) != nil {
			lost++
		}
	}
	if lost == 0 && t.served(ctx) != nil {
		lost++
	}
	return lost
}

func (t *trial) part() room.Part { return t.people[0].View().State.Part }

// drain has each SFU drained in turn. The frames that are missing say how long
// there was nothing, whatever the scheduler did to who measures.
func (t *trial) drain(ctx context.Context) error {
	var gaps, pages []time.Duration
	lost := 0
	for i := range t.opts.Drains {
		part := t.part()
		if err := t.reset(); err != nil {
			return err
		}
		d, err := t.client.Drain(ctx, muster.DrainOrder{Selector: muster.Selector{Worker: part.Worker}})
		if err != nil {
			return err
		}
		lost += t.moved(ctx, part.Number)
		if _, err := t.client.Undrain(ctx, client.Undrain{Drain: d.ID}); err != nil {
			return err
		}
		if _, err := t.pageGap(&pages); err != nil {
			return err
		}
		t.opts.Progress(fmt.Sprintf("drained %d of %d times, %d lost", i+1, t.opts.Drains, lost))
	}
	for _, p := range t.people {
		for _, s := range p.View().Streams {
			gaps = append(gaps, time.Duration(s.Missing)*time.Second/time.Duration(t.opts.Rate))
		}
	}
	if t.opts.Drains > 0 {
		t.add("drain: frames missing, pion", gaps, lost)
	}
	t.add("drain: largest gap, Chromium", pages, 0)
	return nil
}

// kill kills the SFU's process again and again.
func (t *trial) kill(ctx context.Context) error {
	var gaps, pages []time.Duration
	lost := 0
	for k := range t.opts.Kills {
		part := t.part()
		nodes, err := t.client.Nodes(ctx, part.Worker)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(nodes, func(n muster.Node) bool { return n.ID == part.Node })
		if i < 0 || nodes[i].PID == 0 {
			return fmt.Errorf("%s has no process %s", part.Worker, part.Node)
		}
		if err := t.reset(); err != nil {
			return err
		}
		if err := syscall.Kill(nodes[i].PID, syscall.SIGKILL); err != nil {
			return err
		}
		lost += t.moved(ctx, part.Number)
		worst := time.Duration(0)
		for _, p := range t.people {
			most := time.Duration(0)
			for _, s := range p.View().Streams {
				most = max(most, s.Gap)
			}
			gaps = append(gaps, most)
			worst = max(worst, most)
		}
		gap, err := t.pageGap(&pages)
		if err != nil {
			return err
		}
		worst = max(worst, gap)
		t.opts.Progress(fmt.Sprintf("killed %d of %d times, largest gap %v, %d lost", k+1, t.opts.Kills, worst.Round(time.Millisecond), lost))
	}
	t.add("kill: largest gap, pion", gaps, lost)
	t.add("kill: largest gap, Chromium", pages, 0)
	return nil
}

// pageGap adds the largest gap of the page's picture to others, if there is a page.
func (t *trial) pageGap(gaps *[]time.Duration) (gap time.Duration, err error) {
	if t.page == nil {
		return 0, nil
	}
	gap, err = t.page.gap()
	*gaps = append(*gaps, gap)
	return gap, err
}

func (t *trial) reset() error {
	for _, p := range t.people {
		p.ResetGaps()
	}
	if t.page != nil {
		return t.page.reset()
	}
	return nil
}

// add adds a result. Where nothing was measured there is none.
func (t *trial) add(what string, times []time.Duration, lost int) {
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	at := func(share float64) float64 {
		return float64(times[max(0, int(math.Ceil(share*float64(len(times))))-1)].Microseconds()) / 1000
	}
	t.results = append(t.results, TrialResult{what, len(times), at(0.5), at(0.95), at(0.99), at(1), lost})
}
