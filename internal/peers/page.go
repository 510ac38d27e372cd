package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-fleet/muster/internal/bench/measure"
)

// PageOptions configure Page.
type PageOptions struct {
	// Muster and NATS are as in Options.
	Muster string
	NATS   []string
	// Workers and Tasks are the fleet's. Inflight calls at a time place tasks.
	Workers, Tasks, Inflight int
	// Rounds is how often each is measured, for Duration.
	Rounds   int
	Duration time.Duration
}

// DefaultPageOptions are a large fleet.
func DefaultPageOptions() PageOptions {
	return PageOptions{Workers: 1000, Tasks: 100_000, Inflight: 256, Rounds: 5, Duration: 5 * time.Second}
}

// Validate returns an error that names the invalid option.
func (o PageOptions) Validate() error {
	if o.Workers < 1 || o.Tasks < 1 || o.Inflight < 1 || o.Rounds < 1 || o.Duration <= 0 {
		return errors.New("peers: workers, tasks, inflight, rounds and duration must be positive")
	}
	return nil
}

// PageResult is what was measured with and without the page, as medians.
type PageResult struct {
	Page bool `json:"page"`
	// PerS is how many tasks were placed in a second, Memory the manager's resident
	// memory afterwards, in bytes.
	PerS   float64 `json:"per_s"`
	Memory float64 `json:"memory_bytes"`
	// The ratios are those to the manager without page and API, medians of pairs.
	PerSRatio   float64 `json:"per_s_ratio"`
	MemoryRatio float64 `json:"memory_ratio"`
	// Events and Lists are how many events and answers the page got in all rounds.
	Events int64 `json:"events"`
	Lists  int64 `json:"lists"`
}

// Page measures a manager of a large fleet without page and API and with one page
// open, in turns.
func Page(ctx context.Context, o PageOptions, done func(share float64)) ([]PageResult, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	results := []PageResult{{}, {Page: true}}
	var rates, memory [2][]float64
	for round := range o.Rounds {
		for with := range results {
			v := &visitor{}
			rate, bytes, err := o.once(ctx, with == 1, v)
			if err != nil {
				return nil, fmt.Errorf("peers: round %d: %w", round+1, err)
			}
			rates[with], memory[with] = append(rates[with], rate), append(memory[with], float64(bytes))
			results[with].Events += v.events.Load()
			results[with].Lists += v.lists.Load()
			done(float64(2*round+with+1) / float64(2*o.Rounds))
		}
	}
	for with := range results {
		r := &results[with]
		r.PerS, r.Memory = measure.Round(median(rates[with]), 0), median(memory[with])
		r.PerSRatio = measure.Round(median(ratios(rates[with], rates[0])), 3)
		r.MemoryRatio = measure.Round(median(ratios(memory[with], memory[0])), 3)
	}
	return results, nil
}

// once fills a new manager, and measures it.
func (o PageOptions) once(ctx context.Context, page bool, v *visitor) (perS float64, memory int64, err error) {
	opts := Options{Muster: o.Muster, NATS: o.NATS, Workers: o.Workers}
	if page {
		if v.addr, err = freeAddress(); err != nil {
			return 0, 0, err
		}
		opts.config = fmt.Sprintf("[http]\naddr = %q\n", v.addr)
	}
	c, err := startMuster(ctx, opts, 1)
	if err != nil {
		return 0, 0, err
	}
	defer c.close()
	f := c.(*fleet)
	if failed := f.place(ctx, FillOptions{Tasks: o.Tasks, Inflight: o.Inflight}); failed > 0 {
		return 0, 0, fmt.Errorf("%d of %d tasks were not placed", failed, o.Tasks)
	}
	within, stop := context.WithTimeout(ctx, o.Duration)
	defer stop()
	var visit sync.WaitGroup
	if page {
		visit.Go(func() { v.err = v.look(within) })
	}
	n := f.churn(within, o.Inflight)
	visit.Wait()
	if v.err != nil {
		return 0, 0, v.err
	}
	memory, _, err = residentBytes(f.managed.Managers()[0].Process.PID)
	return float64(n) / o.Duration.Seconds(), memory, err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// churn places tasks that soon end until ctx does, and returns how many.
func (f *fleet) churn(ctx context.Context, inflight int) int64 {
	var next, placed atomic.Int64
	var lanes sync.WaitGroup
	for range inflight {
		lanes.Go(func() {
			for ctx.Err() == nil {
				_, err := f.clients[0].Schedule(ctx, request(fmt.Sprintf("soon-%d", next.Add(1))))
				if err == nil {
					placed.Add(1)
				}
			}
		})
	}
	lanes.Wait()
	return placed.Load()
}

// visitor asks what an open page does: the events as they come, and once a second the
// status, a part of the workers and a part of the tasks.
type visitor struct {
	addr          string
	err           error
	events, lists atomic.Int64
}

func (v *visitor) look(ctx context.Context) error {
	var stream sync.WaitGroup
	stream.Go(func() { v.follow(ctx) })
	defer stream.Wait()
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		for _, path := range []string{"/v1/status", "/v1/workers?limit=500", "/v1/tasks?limit=50", "/v1/drains"} {
			if err := v.get(ctx, path); err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (v *visitor) ask(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+v.addr+path, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

func (v *visitor) get(ctx context.Context, path string) error {
	answer, err := v.ask(ctx, path)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, answer.Status)
	}
	var body any
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		return fmt.Errorf("GET %s: %w", path, err)
	}
	v.lists.Add(1)
	return nil
}

// follow reads the stream of events until ctx ends.
func (v *visitor) follow(ctx context.Context) {
	answer, err := v.ask(ctx, "/v1/events")
	if err != nil {
		return
	}
	defer func() { _ = answer.Body.Close() }()
	part := make([]byte, 64<<10)
	for {
		n, err := answer.Body.Read(part)
		for _, b := range part[:n] {
			if b == '\n' {
				v.events.Add(1)
			}
		}
		if errors.Is(err, io.EOF) || err != nil {
			return
		}
	}
}
