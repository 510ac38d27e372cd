package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/pause"
)

// A program that runs on looks for its message queue this often, and says this often
// that it still waits.
const (
	tryAgainAfter = time.Second
	sayAgainAfter = time.Minute
	oneTry        = 10 * time.Second
)

// silentQueue is the error of a queue where nothing answers yet.
type silentQueue struct{ error }

func (e silentQueue) Unwrap() error { return e.error }

// openPatiently is open for a program that runs on: it waits for its queue.
func openPatiently(ctx context.Context, cfg *config.Config, name string, log *slog.Logger) (bus.Conn, error) {
	return patiently(ctx, log, func(ctx context.Context) (bus.Conn, error) { return open(ctx, cfg, name, log) })
}

// patiently repeats try while nothing answers at the queue. What will not mend itself,
// such as a wrong password, is its error.
func patiently(ctx context.Context, log *slog.Logger, try func(context.Context) (bus.Conn, error)) (bus.Conn, error) {
	for said := (time.Time{}); ; {
		within, cancel := context.WithTimeout(ctx, oneTry)
		conn, err := try(within)
		cancel()
		if err == nil || !errors.As(err, new(silentQueue)) || ctx.Err() != nil {
			return conn, err
		}
		if time.Since(said) >= sayAgainAfter {
			log.Warn("waiting for the message queue", "err", err)
			said = time.Now()
		}
		if !pause.For(ctx, tryAgainAfter) {
			return nil, err
		}
	}
}

// unlessInterrupted is nil for a program that was asked to end before it had begun.
func unlessInterrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
