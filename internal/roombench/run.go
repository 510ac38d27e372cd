package roombench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// The media of a publisher: a picture of 2.1 Mbit/s, and sound.
const (
	pictureRate    = 30
	picturePackets = 8
	pictureSize    = 1100
	soundRate      = 50
	soundSize      = 100
)

// Options say what is measured.
type Options struct {
	// Server is the command line of a server, to which its kind is added.
	Server []string
	// Shapes are publishers and subscribers: "1x20" is one to twenty, "10x10"
	// ten people who all see each other.
	Shapes []string
	// Kinds are the servers, in turns.
	Kinds []string
	// Rounds is how often each has its turn, Duration how long it is measured.
	Rounds   int
	Duration time.Duration
	// Progress hears how much is done.
	Progress func(done, total int)
}

// DefaultOptions returns what the figures in the documentation use.
func DefaultOptions() Options {
	return Options{Shapes: []string{"1x20", "10x10"}, Kinds: Kinds, Rounds: 3, Duration: 8 * time.Second}
}

// Result is what one server did in all its turns.
type Result struct {
	Shape  string `json:"shape"`
	Server string `json:"server"`
	// PerCPUSecond is how many packets reached subscribers for each second of
	// the server's processor time: the median of the turns.
	PerCPUSecond float64 `json:"per_cpu_second"`
	// Ratio is that of this server ÷ that of plain pion.
	Ratio float64 `json:"ratio"`
	// CPU is the share of a processor that the server used.
	CPU float64 `json:"cpu"`
	// Lost is the share of the packets that did not arrive.
	Lost float64 `json:"lost"`
	// Memory is that of the server ÷ the tracks that subscribers got, in bytes.
	Memory int64 `json:"memory_per_track"`
}

// turn is one measurement.
type turn struct {
	perCPU, cpu, lost float64
	memory            int64
}

// Run measures.
func Run(ctx context.Context, o Options) ([]Result, error) {
	var results []Result
	done := 0
	for _, shape := range o.Shapes {
		turns := map[string][]turn{}
		for range o.Rounds {
			for _, kind := range o.Kinds {
				t, err := measureOne(ctx, o, kind, shape)
				if err != nil {
					return results, fmt.Errorf("%s, %s: %w", shape, kind, err)
				}
				turns[kind] = append(turns[kind], t)
				done++
				if o.Progress != nil {
					o.Progress(done, len(o.Shapes)*o.Rounds*len(o.Kinds))
				}
			}
		}
		for _, kind := range o.Kinds {
			results = append(results, summary(shape, kind, turns))
		}
	}
	return results, nil
}

func measureOne(ctx context.Context, o Options, kind, shape string) (turn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var publishers, subscribers int
	if n, err := fmt.Sscanf(shape, "%dx%d", &publishers, &subscribers); n != 2 || err != nil || publishers < 1 || subscribers < 1 {
		return turn{}, fmt.Errorf("a shape is such as 1x20, not %q", shape)
	}
	url, end, err := launch(ctx, append(o.Server, kind))
	if err != nil {
		return turn{}, err
	}
	defer end()
	signal := func(ctx context.Context, offer room.Offer) (string, error) { return offerTo(ctx, url, offer) }
	c := &crowd{signal: signal, client: rtcload.Client{Feedback: true}}
	defer c.close()
	if err := c.gather(ctx, publishers, subscribers); err != nil {
		return turn{}, err
	}
	before, err := ask(ctx, url)
	if err != nil {
		return turn{}, err
	}
	sent, received, began := c.sent(), c.received(), time.Now()
	select {
	case <-time.After(o.Duration):
	case <-ctx.Done():
		return turn{}, context.Cause(ctx)
	}
	elapsed, got, wanted := time.Since(began), c.received()-received, c.sent()-sent
	after, err := ask(ctx, url)
	if err != nil {
		return turn{}, err
	}
	used := (after.CPU - before.CPU).Seconds()
	return turn{
		perCPU: float64(got) / used, cpu: used / elapsed.Seconds(),
		lost: max(0, 1-float64(got)/float64(wanted)), memory: after.Memory / int64(c.deliveries),
	}, nil
}

// launch starts a server and waits for the URL that it prints.
func launch(ctx context.Context, argv []string) (url string, end func(), err error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", nil, err
	}
	end = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		late := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		_ = cmd.Wait() // its exit status does not matter: it was interrupted
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		end()
		return "", nil, fmt.Errorf("the server did not start: %s", said.String())
	}
	return strings.TrimSpace(line), end, nil
}

func offerTo(ctx context.Context, url string, o room.Offer) (string, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/offer", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(text)))
	}
	return string(text), err
}

func ask(ctx context.Context, url string) (usage, error) {
	var u usage
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/usage", nil)
	if err != nil {
		return u, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return u, err
	}
	defer func() { _ = res.Body.Close() }()
	return u, json.NewDecoder(res.Body).Decode(&u)
}

// crowd is the clients of a measurement.
type crowd struct {
	signal      rtcload.Signal
	client      rtcload.Client
	publishers  []*rtcload.Publisher
	subscribers []*rtcload.Subscriber
	// deliveries is how many tracks subscribers get in all, each how many of
	// the publishers a subscriber gets.
	deliveries, each int
	sending          sync.WaitGroup
	stop             context.CancelFunc
}

// gather connects everybody and waits until everything flows.
func (c *crowd) gather(ctx context.Context, publishers, subscribers int) error {
	ctx, c.stop = context.WithCancel(ctx)
	var all []room.Track
	for i := range publishers {
		who := fmt.Sprintf("p%d", i)
		tracks := []room.Track{{ID: who + ".camera", Source: "camera"}, {ID: who + ".mic", Source: "mic"}}
		p, err := c.client.Publish(ctx, c.signal, "bench", who, nil, tracks...)
		if err != nil {
			return err
		}
		c.publishers = append(c.publishers, p)
		c.sending.Go(func() { _ = p.Run(ctx, tracks[0].ID, pictureRate, picturePackets, pictureSize) })
		c.sending.Go(func() { _ = p.Run(ctx, tracks[1].ID, soundRate, 1, soundSize) })
		all = append(all, tracks...)
	}
	for i := range subscribers {
		wanted := all
		if publishers > 1 { // people do not see themselves
			wanted = append(append([]room.Track{}, all[:2*(i%publishers)]...), all[2*(i%publishers)+2:]...)
		}
		s, err := c.client.Subscribe(ctx, c.signal, "bench", fmt.Sprintf("s%d", i), nil, wanted...)
		if err != nil {
			return err
		}
		c.subscribers = append(c.subscribers, s)
		c.deliveries += len(wanted)
		c.each = len(wanted) / 2
	}
	return c.await(ctx)
}

// await waits until every subscriber gets something, and a little more.
func (c *crowd) await(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		waiting := 0
		for _, s := range c.subscribers {
			if s.Received() < 500 {
				waiting++
			}
		}
		if waiting == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d subscribers got nothing: %w", waiting, len(c.subscribers), context.Cause(ctx))
		}
	}
}

func (c *crowd) received() (n uint64) {
	for _, s := range c.subscribers {
		n += s.Received()
	}
	return n
}

// sent is how many packets subscribers should have got.
func (c *crowd) sent() (n uint64) {
	for _, p := range c.publishers {
		n += p.Sent()
	}
	return n * uint64(c.each*len(c.subscribers)) / uint64(len(c.publishers))
}

func (c *crowd) close() {
	if c.stop != nil {
		c.stop()
	}
	c.sending.Wait()
	for _, p := range c.publishers {
		_ = p.Close()
	}
	for _, s := range c.subscribers {
		_ = s.Close()
	}
}
