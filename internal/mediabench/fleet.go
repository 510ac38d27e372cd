package mediabench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/muster-fleet/muster/internal/pause"
)

// fleet is a queue with a manager, and an agent for video, as processes.
type fleet struct {
	url      string
	programs []*exec.Cmd
}

// startTime is how long a program may take until it is ready.
const startTime = time.Minute

// startFleet starts a queue with a manager, and then the agents.
func startFleet(ctx context.Context, o Options, dir string, agents func(*fleet) error) (*fleet, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	f := &fleet{url: "nats://" + addr}
	err = f.start(ctx, dir, "Ctrl-C ends", o.Muster, "up", "--listen", addr, "--workers", "0")
	if err == nil {
		err = agents(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.stop())
	}
	return f, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("media: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// start starts a program, and waits until it writes that it is ready.
func (f *fleet) start(ctx context.Context, dir, ready, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("media: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("media: %w", err)
	}
	f.programs = append(f.programs, cmd)
	said := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.Contains(lines.Text(), ready) {
				said <- true
				_, _ = io.Copy(io.Discard, out)
				return
			}
		}
		said <- false
	}()
	select {
	case ok := <-said:
		if !ok {
			return fmt.Errorf("media: %s %s ended before it was ready", program, args[0])
		}
		return nil
	case <-time.After(startTime):
		return fmt.Errorf("media: %s %s was not ready within %v", program, args[0], startTime)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the programs, the last one first.
func (f *fleet) stop() (err error) {
	for i := len(f.programs) - 1; i >= 0; i-- {
		cmd := f.programs[i]
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if e := cmd.Wait(); e != nil {
			err = errors.Join(err, fmt.Errorf("media: %s: %w", strings.Join(cmd.Args[:2], " "), e))
		}
	}
	return err
}

// A fleet is settled when it needed no more than quietCPU in quietTime.
const (
	quietTime = 200 * time.Millisecond
	quietCPU  = 10 * time.Millisecond
	mostQuiet = 10 * time.Second
)

// settled waits until the fleet has nothing to do, and returns the processor
// time that it has used up to then.
func (f *fleet) settled(ctx context.Context) (time.Duration, error) {
	late := time.Now().Add(mostQuiet)
	last, err := f.cpu()
	for err == nil {
		if !pause.For(ctx, quietTime) {
			return 0, ctx.Err()
		}
		var now time.Duration
		if now, err = f.cpu(); err == nil && (now-last <= quietCPU || time.Now().After(late)) {
			return now, nil
		}
		last = now
	}
	return 0, err
}

// cpu is the processor time of the fleet's programs and all their descendants.
func (f *fleet) cpu() (total time.Duration, err error) {
	all, err := processes()
	if err != nil {
		return 0, err
	}
	for _, cmd := range f.programs {
		for _, p := range below(all, cmd.Process.Pid) {
			total += p.cpu
		}
	}
	return total, nil
}

// watch waits for an ffmpeg of the fleet that writes below a directory, and
// returns its command line; nil where ctx is done before that.
func (f *fleet) watch(ctx context.Context, dir string) []string {
	for {
		all, _ := processes()
		for _, cmd := range f.programs {
			for _, p := range below(all, cmd.Process.Pid) {
				if argv := p.argv(); len(argv) > 1 && filepath.Base(argv[0]) == "ffmpeg" && strings.HasPrefix(argv[len(argv)-1], dir) {
					return argv
				}
			}
		}
		if !pause.For(ctx, 2*time.Millisecond) {
			return nil
		}
	}
}

// below are a process and all its descendants.
func below(all map[int]process, root int) (found []process) {
	for pid, p := range all {
		for at := pid; at > 1; at = all[at].parent {
			if at == root {
				found = append(found, p)
				break
			}
		}
	}
	return found
}
