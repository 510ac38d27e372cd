package worker

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/worker/load"
)

// The defaults of Options, all of them OWT's.
const (
	DefaultCluster      = muster.DefaultCluster
	DefaultMaxLoad      = 0.85
	DefaultJoinRetries  = 60
	DefaultJoinInterval = 800 * time.Millisecond
	DefaultKeepAlive    = 800 * time.Millisecond
	DefaultMisses       = 4
	DefaultCallTimeout  = bus.DefaultTimeout * time.Millisecond
	DefaultLoadInterval = time.Second
	DefaultLoadRepeat   = 5 * time.Second
)

// OverloadAbove is the load above which a worker calls itself overloaded.
const OverloadAbove = 0.98

// Options are what a worker is. Purpose is required; the zero value of every
// other field means its default.
type Options struct {
	// Purpose is what the worker is for: webrtc, video, recording ...
	Purpose string
	// Cluster is the name of the cluster, and of its manager on the bus.
	Cluster string
	// ID names the worker; "" makes one: the purpose, 20 random hex digits,
	// and Hostname or else IP, as in "video-1f0c62b2d8e6a3b7c915@192.0.2.7".
	ID string
	// IP is where clients reach the worker; "" takes the machine's first
	// address that is not loopback.
	IP string
	// Hostname and Port are passed to callers where they are set.
	Hostname string
	Port     int

	// MaxLoad is the load, above 0 and up to 1, from which the worker gets no
	// further tasks.
	MaxLoad float64
	// MaxTasks is the most tasks that it gets at once; 0 means no limit.
	MaxTasks int
	// Capacity is what it can serve: providers, regions, codecs, algorithms.
	// An empty list of providers or regions means any.
	Capacity muster.Capacity
	// Labels are names and values that a task can ask for.
	Labels map[string]string
	// Extra are further members of the info that callers get with a placement.
	Extra map[string]any

	// Load measures how loaded the worker is; nil means load.CPU().
	Load load.Source
	// LoadInterval is how often it is measured, and the least time between two
	// reports. Shorter follows bursts closer and costs messages.
	LoadInterval time.Duration
	// LoadRepeat is how often a load that did not change is reported anyway.
	LoadRepeat time.Duration

	// JoinRetries is how often a first join that failed is tried again,
	// JoinInterval after it failed. Rejoining never gives up. -1 means none.
	JoinRetries  int
	JoinInterval time.Duration
	// KeepAlive is how often the worker says that it is alive. It must be well
	// below the manager's limit (OWT: 10 s).
	KeepAlive time.Duration
	// Misses is how many keep-alives in a row may fail before the worker takes
	// contact for lost. Few make it rejoin, and drop tasks, without need.
	Misses int
	// CallTimeout is how long the manager has to answer.
	CallTimeout time.Duration

	// Handlers are the worker's own methods, which others call by its ID.
	Handlers map[string]Handler

	// The callbacks run one after another, in the order of what happened.
	// They must not wait for Quit.

	// OnJoined: the worker is a member of the cluster.
	OnJoined func(*Worker)
	// OnLost: the manager does not answer, or does not know the worker. It
	// gets no tasks. What it runs should go on.
	OnLost func(w *Worker, why error)
	// OnRecovered: the worker is a member again.
	OnRecovered func(*Worker)
	// OnTasksDropped: the worker must end these tasks, which are gone from
	// Tasks already: another worker has them, or the manager of OWT's that it
	// joined afresh has given them up, or a later process has its ID. They keep
	// their slots until it returns: it should not do so before they have ended.
	OnTasksDropped func(w *Worker, tasks []string)
	// OnOverload: the load rose above OverloadAbove, or is below it again.
	OnOverload func(w *Worker, overloaded bool)

	// Logger hears of contact lost and found. Nil means none.
	Logger *slog.Logger
}

// DefaultOptions returns the options of a worker of that purpose, with every
// default but the ID and the IP filled in.
func DefaultOptions(purpose string) Options {
	return Options{Purpose: purpose}.withDefaults()
}

func (o Options) withDefaults() Options {
	o.Cluster = cmp.Or(o.Cluster, DefaultCluster)
	o.MaxLoad = cmp.Or(o.MaxLoad, DefaultMaxLoad)
	o.LoadInterval = cmp.Or(o.LoadInterval, DefaultLoadInterval)
	o.LoadRepeat = cmp.Or(o.LoadRepeat, DefaultLoadRepeat)
	o.JoinRetries = cmp.Or(o.JoinRetries, DefaultJoinRetries)
	o.JoinInterval = cmp.Or(o.JoinInterval, DefaultJoinInterval)
	o.KeepAlive = cmp.Or(o.KeepAlive, DefaultKeepAlive)
	o.Misses = cmp.Or(o.Misses, DefaultMisses)
	o.CallTimeout = cmp.Or(o.CallTimeout, DefaultCallTimeout)
	if o.Load == nil {
		o.Load = load.CPU()
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return o
}

// Validate returns what is wrong, by the name of the field. A field that is
// zero is right, save Purpose.
func (o Options) Validate() error {
	o = o.withDefaults()
	if o.Purpose == "" {
		return errors.New("worker: Purpose must be set, such as webrtc or recording")
	}
	if o.Purpose == "all" {
		return errors.New(`worker: Purpose must not be "all", which asks a manager for every purpose`)
	}
	if err := muster.CheckName(o.Purpose, muster.MaxName); err != nil {
		return fmt.Errorf("worker: Purpose %w", err)
	}
	if err := muster.CheckName(o.ID, muster.MaxName); o.ID != "" && err != nil {
		return fmt.Errorf("worker: ID %w", err)
	}
	if !(o.MaxLoad > 0 && o.MaxLoad <= 1) {
		return fmt.Errorf("worker: MaxLoad must be above 0 and at most 1, not %v", o.MaxLoad)
	}
	if o.Port < 0 || o.Port > 65535 {
		return fmt.Errorf("worker: Port must be from 0 to 65535, not %d", o.Port)
	}
	if o.MaxTasks < 0 {
		return fmt.Errorf("worker: MaxTasks must not be negative (0 means no limit), but is %d", o.MaxTasks)
	}
	return errors.Join(o.validateTimes(), o.validateExtra())
}

func (o Options) validateTimes() error {
	if o.Misses < 0 {
		return fmt.Errorf("worker: Misses must be positive, not %d", o.Misses)
	}
	times := []struct {
		field string
		value time.Duration
	}{
		{"JoinInterval", o.JoinInterval}, {"KeepAlive", o.KeepAlive}, {"CallTimeout", o.CallTimeout},
		{"LoadInterval", o.LoadInterval}, {"LoadRepeat", o.LoadRepeat},
	}
	for _, t := range times {
		if t.value < 0 {
			return fmt.Errorf("worker: %s must be positive, not %v", t.field, t.value)
		}
	}
	return nil
}

// ownMembers are the members of info that have a field of their own.
var ownMembers = []string{
	"ip", "hostname", "port", "purpose", "state", "maxLoad", "max_load", "capacity", "incarnation", "labels", "max_tasks",
}

func (o Options) validateExtra() error {
	for _, name := range slices.Sorted(maps.Keys(o.Extra)) {
		if slices.Contains(ownMembers, name) {
			return fmt.Errorf("worker: Extra must not hold %q, which has a field of its own in Options", name)
		}
	}
	return nil
}
