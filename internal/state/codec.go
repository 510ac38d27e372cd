package state

import (
	"errors"
	"math"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/wire"
)

var (
	errSnapshot = errors.New("the snapshot is damaged")
	errNoOp     = errors.New("state: a command needs an operation")
)

// writer adds the parts of commands and snapshots to those of package wire.
type writer struct{ *wire.Writer }

// reader reads what a writer wrote.
type reader struct {
	*wire.Reader
	version int // of the snapshot
}

// info writes all of an info but Raw, which commands and snapshots write
// differently.
func (w writer) info(info *muster.Info) {
	w.Text(info.IP)
	w.Text(info.Hostname)
	w.Int(int64(info.Port))
	w.Text(info.Purpose)
	w.Int(int64(info.State))
	w.Float(info.MaxLoad)
	w.Texts(info.Capacity.ISPs)
	w.Texts(info.Capacity.Regions)
	w.Bool(info.Capacity.Video != nil)
	if video := info.Capacity.Video; video != nil {
		w.Texts(video.Encode)
		w.Texts(video.Decode)
	}
	w.Texts(info.Capacity.Algorithms)
	w.Pairs(info.Labels)
	w.Int(int64(info.MaxTasks))
}

func (r reader) info() muster.Info {
	info := muster.Info{
		IP: r.Text(), Hostname: r.Text(), Port: int(r.Int()), Purpose: r.Text(),
		State: muster.WorkerState(r.Int()), MaxLoad: r.Float(),
	}
	info.Capacity.ISPs, info.Capacity.Regions = r.Texts(), r.Texts()
	if r.Bool() {
		info.Capacity.Video = &muster.Formats{Encode: r.Texts(), Decode: r.Texts()}
	}
	info.Capacity.Algorithms = r.Texts()
	info.Labels = r.Pairs()
	info.MaxTasks = int(r.Int())
	return info
}

// defaults writes all of a configuration but the strategies.
func (w writer) defaults(c *Config) {
	w.Text(string(c.General))
	w.Int(c.ReserveMillis)
	w.Text(string(c.Debit.Mode))
	w.Float(c.Debit.Fixed)
	w.Float(c.Debit.Floor)
}

func (r reader) defaults(c *Config) {
	c.General = muster.Strategy(r.Text())
	c.ReserveMillis = r.Int()
	c.Debit = Debit{Mode: DebitMode(r.Text()), Fixed: r.Float(), Floor: r.Float()}
}

// between reads a number that must lie in a range.
func (r reader) between(low, high int64) int64 {
	n := r.Int()
	if n < low || n > high {
		r.Fail()
		return low
	}
	return n
}

// finite reads a number that must be neither NaN nor infinite.
func (r reader) finite() float64 {
	f := r.Float()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		r.Fail()
		return 0
	}
	return f
}
