// Package load measures how loaded a worker is, as a number from 0 (idle) to 1
// (full): the processor, memory, a disk, a network interface, graphics cards,
// a count of processes, or whatever a function of the caller's returns.
//
// A worker's load is usually that of whatever it runs out of first:
//
//	load.Worst(load.CPU(), load.Memory(), load.Network("eth0", 0))
package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
)

// Source measures one load. It is called again and again, about once a second,
// and must return soon once ctx is done.
type Source interface {
	// Load returns the load now, from 0 to 1. Where it is wrapped in a
	// *PartialError the load is still good for what could be measured.
	Load(ctx context.Context) (float64, error)
}

// PartialError reports that some of several sources failed. The load that came
// with it is the worst of the others.
type PartialError struct{ Err error }

func (e *PartialError) Error() string { return "load: some sources failed: " + e.Err.Error() }

// Unwrap returns what the sources said.
func (e *PartialError) Unwrap() error { return e.Err }

// sourceFunc is a Source that is a function.
type sourceFunc func(ctx context.Context) (float64, error)

func (f sourceFunc) Load(ctx context.Context) (float64, error) { return f(ctx) }

// Func is the load that f returns; below 0 counts as 0, above 1 as 1, and what
// is not a number is an error. f must not block.
func Func(f func() float64) Source {
	return sourceFunc(func(context.Context) (float64, error) { return clamp(f()) })
}

// Worst is the highest of several loads, measured side by side. A source that
// fails does not silence the others: the error is a *PartialError then, and
// the load is that of the rest.
func Worst(sources ...Source) Source {
	return sourceFunc(func(ctx context.Context) (float64, error) {
		return worst(measureAll(ctx, sources))
	})
}

type measured struct {
	load float64
	err  error
}

func measureAll(ctx context.Context, sources []Source) []measured {
	out := make([]measured, len(sources))
	var wg sync.WaitGroup
	for i, s := range sources {
		wg.Go(func() {
			out[i].load, out[i].err = s.Load(ctx)
		})
	}
	wg.Wait()
	return out
}

func worst(all []measured) (float64, error) {
	var errs []error
	high, good := 0.0, 0
	for _, m := range all {
		if m.err != nil {
			errs = append(errs, m.err)
		}
		if usable(m.err) {
			high, good = max(high, m.load), good+1
		}
	}
	switch {
	case good == 0 && len(errs) == 0:
		return 0, errors.New("load: Worst has no sources")
	case good == 0:
		return 0, errors.Join(errs...)
	case len(errs) > 0:
		return high, &PartialError{Err: errors.Join(errs...)}
	}
	return high, nil
}

// usable reports whether the load that came with err is good.
func usable(err error) bool {
	return err == nil || errors.As(err, new(*PartialError))
}

// clamp brings a load into 0 to 1.
func clamp(v float64) (float64, error) {
	if math.IsNaN(v) {
		return 0, fmt.Errorf("load: %v is not a load: use a number from 0 to 1", v)
	}
	return min(max(v, 0), 1), nil
}
