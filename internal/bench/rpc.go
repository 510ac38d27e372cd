package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/bench/testbed"
)

// RPCOptions say what RPC measures.
type RPCOptions struct {
	// Bus says which queue to measure on. The URL testbed.EmbeddedNATS starts a NATS
	// server in this process for the run.
	Bus bus.Options
	// Workers is the size of the fleet, spread evenly over ISPs × Regions.
	Workers, ISPs, Regions int
	// Signs is how the workers say that they are alive.
	Signs testbed.Signs
	// Managers is how many there are; several agree by Raft, with their logs in
	// memory.
	Managers int
	// Inflight is how many calls are outstanding at a time; each is measured
	// for Duration, which the echo server and each way to call share.
	Inflight []int
	Duration time.Duration
	// Slice is the time after which echo and manager take turns.
	Slice time.Duration
	// Via is how the manager is called, Batch how many tasks each call places;
	// all combinations of the two take turns with the echo server.
	Via   []Via
	Batch []int
	// Reserve is how long a placement lasts. It bounds the tasks that the
	// manager holds to what it places in that time.
	Reserve time.Duration
	// Cluster is the name of the run's own cluster, different from that of
	// anything else on the queue. Empty means muster-bench-<process>.
	Cluster string
	Seed    uint64
	// Logger hears of connections lost. Nil means none.
	Logger *slog.Logger
	// Progress, where it is set, is called now and then with how much is done.
	Progress func(done, total time.Duration)
}

// Via is how a caller reaches the manager.
type Via string

const (
	// ViaWire is a bare call of schedule or scheduleMany on the queue, as OWT's
	// programs make it: no number of the placement, no reasons.
	ViaWire Via = "wire"
	// ViaSDK is package client, as users of Muster call it.
	ViaSDK Via = "sdk"
)

// DefaultRPCOptions returns a fleet of 100 workers on an embedded NATS server.
func DefaultRPCOptions() RPCOptions {
	return RPCOptions{
		Bus: bus.Options{URL: testbed.EmbeddedNATS}, Workers: 100, ISPs: 4, Regions: 8, Managers: 1,
		Inflight: []int{256}, Duration: 10 * time.Second, Slice: 250 * time.Millisecond,
		Via: []Via{ViaWire}, Batch: []int{1}, Signs: testbed.SignsOWT, Reserve: time.Second, Seed: 1,
	}
}

// RPCResult is what RPC measured with so many calls in flight.
type RPCResult struct {
	// Bus is "nats" or "amqp".
	Bus      string `json:"bus"`
	Managers int    `json:"managers"`
	Workers  int    `json:"workers"`
	Inflight int    `json:"inflight"`
	// Signs is how the workers said that they are alive, SignCPU the processor
	// time of this process for one of them and interval while nothing was placed.
	Signs   testbed.Signs `json:"signs"`
	SignCPU time.Duration `json:"sign_cpu_ns"`
	// Via is how the manager was called, Batch how many tasks a call placed.
	Via   Via `json:"via"`
	Batch int `json:"batch"`
	// OfFirst is PlacementsPerS ÷ that of the first combination of Via and Batch
	// with as many calls in flight, OfFirstCPU the same of CPU.
	OfFirst    float64 `json:"of_first"`
	OfFirstCPU float64 `json:"of_first_cpu"`
	// CeilingPerS is the calls that the bare echo server answered in a second,
	// PlacementsPerS the tasks that the manager placed, Ratio the second ÷ the
	// first. RatioLow and RatioHigh are the quartiles of the ratios of single
	// pairs of slices: how far noise moved it.
	CeilingPerS    int64   `json:"ceiling_per_s"`
	PlacementsPerS int64   `json:"placements_per_s"`
	Ratio          float64 `json:"ratio"`
	RatioLow       float64 `json:"ratio_low"`
	RatioHigh      float64 `json:"ratio_high"`
	// How long a call took, from the caller's side.
	CeilingP50 time.Duration `json:"ceiling_p50_ns"`
	CeilingP99 time.Duration `json:"ceiling_p99_ns"`
	P50        time.Duration `json:"p50_ns"`
	P99        time.Duration `json:"p99_ns"`
	// How much processor time of this process, callers included, a call of the
	// echo server and a placement took; that of a broker outside is not in it.
	CeilingCPU time.Duration `json:"ceiling_cpu_ns"`
	CPU        time.Duration `json:"cpu_ns"`
	// Calls is how many calls were made, Failed how many of them were refused or
	// not answered, Reason why the first of these was. They are not among the
	// placements. A call of several tasks fails with the first of them.
	Calls  int    `json:"calls"`
	Failed int    `json:"failed"`
	Reason string `json:"reason,omitempty"`
	// EchoFailed is how many calls the echo server did not answer.
	EchoFailed int `json:"echo_failed,omitempty"`
	// Slices is how many slices each side had.
	Slices int `json:"slices"`
	// Interrupted reports that the run was ended early.
	Interrupted bool `json:"interrupted,omitempty"`
}

func (o RPCOptions) withDefaults() RPCOptions {
	if o.Cluster == "" {
		o.Cluster = fmt.Sprintf("muster-bench-%d", os.Getpid())
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate returns what is wrong, by the name of the option.
func (o RPCOptions) Validate() error {
	switch {
	case o.Workers < 1:
		return errors.New("bench: workers must be at least 1")
	case o.Managers < 1:
		return errors.New("bench: managers must be at least 1")
	case o.ISPs < 1 || o.Regions < 1:
		return errors.New("bench: isps and regions must be at least 1")
	case len(o.Via) == 0 || slices.ContainsFunc(o.Via, func(v Via) bool { return v != ViaWire && v != ViaSDK }):
		return errors.New("bench: via must be wire or sdk")
	case !slices.Contains(testbed.AllSigns, o.Signs):
		return fmt.Errorf("bench: signs must be one of %v", testbed.AllSigns)
	case len(o.Batch) == 0 || slices.Min(o.Batch) < 1 || slices.Max(o.Batch) > muster.MaxScheduleMany:
		return fmt.Errorf("bench: batch must be from 1 to %d", muster.MaxScheduleMany)
	case len(o.Inflight) == 0:
		return errors.New("bench: inflight must name a number of calls")
	case o.Slice <= 0 || o.Duration < 2*o.Slice:
		return errors.New("bench: duration must have room for two slices at least")
	case o.Reserve < time.Millisecond:
		return errors.New("bench: reserve must be at least 1ms")
	}
	for _, c := range o.Inflight {
		if c < 1 {
			return errors.New("bench: inflight must be at least 1")
		}
	}
	return nil
}

// longestIdle bounds the time in which only signs of life are measured.
const longestIdle = 3 * time.Second

// RPC runs a manager, a fleet of workers that join it, keep alive and report,
// and an echo server, all in this process and over the queue, and measures
// calls to the echo server and to the manager in alternating slices. Once ctx
// is done it returns what was measured so far.
func RPC(ctx context.Context, o RPCOptions) ([]RPCResult, error) {
	o = o.withDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	r, err := startRig(ctx, o)
	if err != nil {
		return nil, err
	}
	defer r.close()
	signCPU := r.idle(ctx, min(o.Duration/4, longestIdle))
	var results []RPCResult
	for i, inflight := range o.Inflight {
		if ctx.Err() != nil {
			break
		}
		d := duel{rig: r, inflight: inflight, signCPU: signCPU, before: time.Duration(i) * o.Duration}
		of, err := d.run(ctx)
		if err != nil {
			return results, err
		}
		results = append(results, of...)
	}
	return results, nil
}
