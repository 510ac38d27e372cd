//go:build linux

// record-line records what the SFU thinks of a line whose rate changes: a
// subscriber in a network namespace of its own, to which the kernel lets so many
// bits a second through, gets a camera in three sizes. Each argument is a time and
// a rate:
//
//	go run ./scripts/record-line 10s:3mbit 20s:700kbit 20s:3mbit > internal/rtc/testdata/lines/step.csv
//
// A row for every tenth of a second has the milliseconds, the rate of the line, the
// SFU's estimate, what each encoding takes, all in kbit/s, and which encoding is
// sent, -1 for none. Needs root, ip and tc.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-fleet/muster/internal/rtc"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// The ends of the line.
const (
	namespace = "muster-line"
	near, far = "mline0", "mline1"
	nearIP    = "10.77.0.1"
	farIP     = "10.77.0.2"
)

// every is the time between two rows.
const every = 100 * time.Millisecond

var camera = rtc.Track{ID: "camera", Source: "camera"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := record(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "record-line:", err)
		os.Exit(1)
	}
}

func record(ctx context.Context, steps []string) error {
	if len(steps) == 0 {
		return errors.New("say how the rate changes, such as 10s:3mbit 20s:700kbit")
	}
	conn, err := line(ctx)
	defer func() { _ = exec.Command("ip", "netns", "del", namespace).Run() }() // the line goes with it
	if err != nil {
		return err
	}
	s, err := rtc.Start(rtc.Options{Listen: nearIP + ":0"})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	p, err := rtcload.Client{}.Publish(ctx, s.Offer, "room", "publisher", []string{"q", "h", "f"}, camera)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { _ = p.Run(ctx, camera.ID, 30, 16, 600) }()
	start := time.Now()
	var in *rtcload.Subscriber
	defer func() {
		if in != nil {
			_ = in.Close()
		}
	}()
	for _, step := range steps {
		lasts, rate, found := strings.Cut(step, ":")
		d, err := time.ParseDuration(lasts)
		if err != nil || !found {
			return fmt.Errorf("%q is no time and rate, such as 10s:3mbit", step)
		}
		if err := shape(ctx, rate); err != nil {
			return err
		}
		if in == nil {
			c := rtcload.Client{Feedback: true, UDP: conn}
			if in, err = c.Subscribe(ctx, s.Offer, "room", "subscriber", nil, camera); err != nil {
				return err
			}
			start = time.Now()
			fmt.Println("ms,line,estimate,quarter,half,full,sent")
		}
		for end := time.Now().Add(d); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(every) {
			row(s.Stats(), time.Since(start), rate)
		}
	}
	return ctx.Err()
}

// line makes a namespace at the end of a line, and a socket in there.
func line(ctx context.Context) (net.PacketConn, error) {
	for _, c := range []string{
		"netns add " + namespace,
		"link add " + near + " type veth peer name " + far + " netns " + namespace,
		"addr add " + nearIP + "/30 dev " + near, "link set " + near + " up",
		"-n " + namespace + " addr add " + farIP + "/30 dev " + far, "-n " + namespace + " link set " + far + " up",
	} {
		if out, err := exec.CommandContext(ctx, "ip", strings.Fields(c)...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ip %s: %w: %s", c, err, out)
		}
	}
	type made struct {
		conn net.PacketConn
		err  error
	}
	result := make(chan made)
	go func() {
		runtime.LockOSThread() // the thread is in the namespace, and ends with this goroutine
		file, err := os.Open("/var/run/netns/" + namespace)
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			result <- made{nil, err}
			return
		}
		conn, err := net.ListenPacket("udp4", farIP+":0")
		result <- made{conn, err}
	}()
	m := <-result
	return m.conn, m.err
}

// shape gives the line a rate: a queue of 200 ms, and after that packets are lost.
func shape(ctx context.Context, rate string) error {
	c := "qdisc replace dev " + near + " root tbf rate " + rate + " burst 16kb latency 200ms"
	if out, err := exec.CommandContext(ctx, "tc", strings.Fields(c)...).CombinedOutput(); err != nil {
		return fmt.Errorf("tc %s: %w: %s", c, err, out)
	}
	return nil
}

func row(s rtc.Stats, at time.Duration, rate string) {
	var takes [3]int
	for _, t := range s.Tracks {
		for _, l := range t.Layers {
			takes[l.Encoding] = max(takes[l.Encoding], l.Bitrate/1000)
		}
	}
	estimate, sent := 0, -1
	for _, n := range s.Sessions {
		if n.Session == "subscriber" {
			estimate = n.Estimate / 1000
		}
	}
	for _, slot := range s.Slots {
		if slot.Sending {
			sent = slot.Encoding
		}
	}
	fmt.Printf("%d,%d,%d,%d,%d,%d,%d\n", at.Milliseconds(), kilobits(rate), estimate, takes[0], takes[1], takes[2], sent)
}

// kilobits is a rate of tc in kbit/s.
func kilobits(rate string) (n int) {
	unit := ""
	_, _ = fmt.Sscanf(rate, "%d%s", &n, &unit) // tc has read it
	if unit == "mbit" {
		n *= 1000
	}
	return n
}
