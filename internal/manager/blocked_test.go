package manager_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/manager"
)

// alarm is how long the broker takes no messages: five times the silence after
// which a worker is lost here. That silence is longer than what a connection to
// NATS pauses between two attempts, a second.
const (
	alarm         = 16 * time.Second
	silentChecks  = 30 // of 100 ms
	twiceTheLimit = 6 * time.Second
)

// stoppable is a queue that can be made to carry nothing.
type stoppable struct {
	queue
	stop, resume func() error
}

func frozenNATS(t *testing.T) stoppable {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MANAGER_TEST_NATS=127.0.0.1:0")
	_, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	url, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return stoppable{
		queue: queue{dial: func(ctx context.Context) (bus.Conn, error) {
			return natsbus.Dial(ctx, bus.Options{URL: strings.TrimSpace(url)})
		}},
		stop:   func() error { return cmd.Process.Signal(syscall.SIGSTOP) },
		resume: func() error { return cmd.Process.Signal(syscall.SIGCONT) },
	}
}

func alarmedRabbitMQ(t *testing.T) stoppable {
	b := manager.SharedRabbit.Broker(t)
	resume := sync.OnceValue(func() error { return b.Ctl(context.Background(), "set_vm_memory_high_watermark", "0.6") })
	t.Cleanup(func() { _ = resume() })
	return stoppable{
		queue: queue{dial: func(ctx context.Context) (bus.Conn, error) {
			return amqpbus.Dial(ctx, bus.Options{URL: b.URL()})
		}},
		stop:   func() error { return b.Ctl(context.Background(), "set_vm_memory_high_watermark", "0") },
		resume: resume,
	}
}

// lines is a log that a test can read.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

// TestNobodyIsLostWhileTheBrokerIsBlocked: a broker that takes no messages
// silences all workers at once; that is not their end.
func TestNobodyIsLostWhileTheBrokerIsBlocked(t *testing.T) {
	for name, start := range map[string]func(*testing.T) stoppable{"nats": frozenNATS, "rabbitmq": alarmedRabbitMQ} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := start(t)
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			t.Cleanup(cancel)
			f := &fleet{t: t, ctx: ctx, queue: q.queue}
			var log lines
			opts := options()
			opts.CheckAliveCount = silentChecks
			opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
			m, err := manager.Start(ctx, f.conn(), opts)
			must(t, err)
			t.Cleanup(func() { _ = m.Close() })
			f.client = client.New(f.conn(), client.Options{})
			f.join("video", 3)
			var left atomic.Int64
			_, err = f.conn().Subscribe(ctx, bus.TopicMonitoring, "exit.#", func(string, json.RawMessage) { left.Add(1) })
			must(t, err)
			must(t, q.stop())
			f.until("evictions are suspended", func() bool { return log.has("eviction suspended") })
			time.Sleep(alarm)
			must(t, q.resume())
			f.until("placed afterwards", func() bool {
				p, err := f.client.Schedule(f.ctx, client.Request{Purpose: "video", Task: "a"})
				return err == nil && p.Worker != ""
			})
			time.Sleep(twiceTheLimit)
			list, err := f.client.Workers(f.ctx, "video")
			if n := left.Load(); err != nil || len(list) != 3 || n != 0 {
				t.Errorf("%d workers of 3 are there, %d were evicted: %v", len(list), n, err)
			}
			must(t, f.workers[0].Quit(f.ctx))
			f.until("one that quits is announced", func() bool { return left.Load() == 1 })
		})
	}
}
