package media

import (
	"context"
	"time"

	"github.com/muster-fleet/muster/internal/pause"
)

// The pause before a live input is tried again doubles from the first to the
// longest.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = 5 * time.Second
)

// persistence runs something live again when it breaks.
type persistence struct {
	// patience is for how many seconds it is tried without success. 0 is one
	// run.
	patience float64
	// run returns how much was done, in seconds, and whether that was all.
	run func(context.Context) (made float64, whole bool, err error)
	// retry is called before it is run again.
	retry func(error)
}

// do runs until the work is whole, ctx is done, or patience is at an end. The
// end of a live input is no error, but may be one of a connection: it is tried
// again too.
func (p persistence) do(ctx context.Context) error {
	delay, since := firstPause, time.Now()
	for {
		made, whole, err := p.run(ctx)
		if made > 0 {
			delay, since = firstPause, time.Now()
		}
		if whole || p.patience == 0 || ctx.Err() != nil || time.Since(since).Seconds() >= p.patience {
			return err
		}
		if !pause.For(ctx, delay) {
			return err
		}
		p.retry(err)
		delay = min(2*delay, longestPause)
	}
}

// retryData is the data of the event "retry".
func retryData(err error) map[string]string {
	if err == nil {
		return map[string]string{"reason": "the input ended"}
	}
	return map[string]string{"reason": err.Error()}
}
