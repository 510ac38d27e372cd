// Package job runs tasks to completion on a fleet: it asks the manager for a
// worker and the worker for a node, starts the task there, and follows it. If the
// worker or the node dies, it starts the task again on another.
//
//	out := job.Run(ctx, c, job.Job{Purpose: "video", Task: "clip-1", Spec: spec}, job.Options{})
//	outs := job.Each(ctx, c, jobs, job.Options{OnUpdate: draw})
//
// # Guarantees
//
// The manager assigns a task to one worker at a time, and only the manager decides
// that a task is lost: a job waits for a worker that does not answer until the
// manager evicts it. A worker that was cut off may continue its task until it
// notices. Nodes that write files must therefore publish them in one atomic step,
// as the media nodes do.
package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/muster-fleet/muster"
)

// Job is a task that ends by itself.
type Job struct {
	// Purpose and Task identify the task at the manager. The task's name is unique
	// within its purpose.
	Purpose, Task string
	// Room is the room of the task; "" means a room of the task's name.
	Room string
	// Spec is the specification, in the format of the node.
	Spec json.RawMessage
	// Preference is what the task asks of its worker; nil means nothing.
	Preference any
}

func (j Job) room() string {
	if j.Room == "" {
		return j.Task
	}
	return j.Room
}

// The defaults of Options.
const (
	DefaultAttempts = 3
	DefaultPatience = time.Minute
	DefaultPoll     = 250 * time.Millisecond
)

// Options configure how jobs are run. The zero value of a field means its default.
type Options struct {
	// Attempts is how often a job is started before it has failed.
	Attempts int
	// Patience is how long a job waits for a worker while no other job of the same
	// call runs.
	Patience time.Duration
	// Priority, from LowestPriority to HighestPriority, is that of the jobs of one
	// Each: while some of a higher one find no worker, those of a lower one ask for
	// none. What runs goes on.
	Priority int
	// By is what TaskOrder.By of the jobs begins with, by which their reports are
	// recognized later; what follows it differs.
	By string
	// Poll is how often a node is asked for its progress.
	Poll time.Duration
	// OnUpdate is called for every change of a job. It is called from several
	// goroutines, one at a time, and must not block.
	OnUpdate func(Update)
	// OnOutcome is called for each job that has ended, in the same way.
	OnOutcome func(Outcome)
	// Logger logs failed attempts. Nil means none.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	orDefault(&o.Attempts, DefaultAttempts)
	orDefault(&o.Patience, DefaultPatience)
	orDefault(&o.Poll, DefaultPoll)
	if o.OnUpdate == nil {
		o.OnUpdate = func(Update) {}
	}
	if o.OnOutcome == nil {
		o.OnOutcome = func(Outcome) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Phase is the phase of a job.
type Phase string

// The phases of a job.
const (
	// Waiting: no worker has taken it yet.
	Waiting Phase = "waiting"
	// Running: a node runs it.
	Running Phase = "running"
	// Again: an attempt failed, and another follows.
	Again Phase = "again"
	// Over: it has ended; the Outcome says how.
	Over Phase = "over"
)

// Update is a change of a job.
type Update struct {
	Job   Job
	Phase Phase
	// Attempt counts from 1.
	Attempt int
	// Worker and Node run the job.
	Worker, Node string
	// Report is the last report of the node.
	Report muster.TaskReport
	// Err is why the job waits, or why the last attempt failed.
	Err error
}

// Outcome is how a job ended.
type Outcome struct {
	Job Job
	// Worker and Node are those of the last attempt.
	Worker, Node string
	// Attempts is how often the job was started.
	Attempts int
	// Refusals are those of workers that could not run the job, for example
	// because they lack its files. Another worker was asked each time.
	Refusals []Refusal
	// Took is the time from the first try to place the job until its end.
	Took time.Duration
	// Report is the last report of the node.
	Report muster.TaskReport
	// Err is nil if the task is done.
	Err error
}

// Refusal is the refusal of a worker that could not run a task.
type Refusal struct {
	Worker string `json:"worker"`
	// Reason is the worker's reason.
	Reason string `json:"reason"`
}

var (
	// ErrRefused means that the spec or the request is invalid; no other worker
	// would take it.
	ErrRefused = errors.New("refused")
	// ErrUnfit is an ErrRefused whose cause is the worker: it lacks the files, or an
	// encoder. Another worker is asked, if there is one.
	ErrUnfit = fmt.Errorf("%w", ErrRefused)
	// ErrLost means that the worker or its node died with the task.
	ErrLost = errors.New("lost")
	// ErrTaken means that a task of that name exists, with another spec or room. It
	// is left unchanged.
	ErrTaken = errors.New("the name is taken")
	// ErrJoined means that the run was interrupted while the task continues: another
	// run started the same task, and only that run stops it.
	ErrJoined = errors.New("another run began the task, which goes on")
	// ErrFailed means that the task failed on its node.
	ErrFailed = errors.New("failed")
	// ErrInput is an ErrFailed whose cause is the task's input. Every other attempt
	// would fail too, so the task is not started again.
	ErrInput = fmt.Errorf("%w", ErrFailed)
	// ErrNoPlace means that no worker took the task within Options.Patience.
	ErrNoPlace = errors.New("no worker took it")
)
