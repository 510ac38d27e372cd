package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/muster-fleet/muster/worker/load"
)

// meter measures the load, in a goroutine of its own since that may take long.
type meter struct {
	w *Worker
	// complaint is the error of the last measurement, which is logged once.
	complaint string
}

func (m *meter) run(ctx context.Context) {
	ticker := time.NewTicker(m.w.opts.LoadInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			m.measure(ctx)
		}
	}
}

func (m *meter) measure(ctx context.Context) {
	w := m.w
	ctx, cancel := context.WithTimeout(ctx, w.opts.CallTimeout)
	defer cancel()
	value, err := w.opts.Load.Load(ctx)
	if err == nil && math.IsNaN(value) {
		err = errors.New("the load is not a number")
	}
	m.complain(err)
	if err == nil || errors.As(err, new(*load.PartialError)) {
		w.do(func(machine *machine) { machine.measured(min(max(value, 0), 1)) })
	}
}

func (m *meter) complain(err error) {
	complaint := ""
	if err != nil {
		complaint = fmt.Sprint(err)
	}
	if complaint != "" && complaint != m.complaint {
		m.w.opts.Logger.Warn("the load cannot be measured: the manager goes on with the last one, "+
			"and takes a worker without reports for full", "err", err)
	}
	m.complaint = complaint
}
