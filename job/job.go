// Package job runs tasks to their end on a fleet: it asks the manager for a
// worker, the worker for a node, the node to start; follows the task; and when
// the worker or the node dies on the way, does it again on another.
//
//	out := job.Run(ctx, c, job.Job{Purpose: "video", Task: "clip-1", Spec: spec}, job.Options{})
//	outs := job.Each(ctx, c, jobs, job.Options{OnUpdate: draw})
//
// # What is promised
//
// The manager holds a task on one worker at a time, and it alone says when a
// task is lost: a worker that does not answer is waited for as long as the
// manager counts on it. What a worker that was only cut off does until it
// notices cannot be prevented; nodes that make files must therefore put them in
// their place in one step, as the media nodes do.
package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/muster-fleet/muster"
)

// Job is a task that has an end.
type Job struct {
	// Purpose and Task are as the manager has them; the task's name is unique
	// within its purpose.
	Purpose, Task string
	// Room is what the task belongs to; "" gives it a room of its own name.
	Room string
	// Spec says what is to be done, in the node's words.
	Spec json.RawMessage
	// Preference is what is wanted of the worker; nil is nothing.
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

// Options say how a job is run. The zero value of a field is its default.
type Options struct {
	// Attempts is how often a job is begun before it has failed.
	Attempts int
	// Patience is how long a job waits for a worker that takes it while no
	// other job of the same call runs.
	Patience time.Duration
	// Poll is how often a node is asked how far it is.
	Poll time.Duration
	// OnUpdate hears of everything that happens to a job. It is called from
	// several goroutines, one at a time, and must not block.
	OnUpdate func(Update)
	// OnOutcome hears of each job that has ended, as OnUpdate does.
	OnOutcome func(Outcome)
	// Logger hears of attempts that failed. Nil means none.
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

// Phase is where a job is.
type Phase string

// The phases of a job.
const (
	// Waiting: no worker takes it yet.
	Waiting Phase = "waiting"
	// Running: a node does it.
	Running Phase = "running"
	// Again: an attempt failed, and another follows.
	Again Phase = "again"
	// Over: it has ended, as the Outcome says.
	Over Phase = "over"
)

// Update is a change of a job.
type Update struct {
	Job   Job
	Phase Phase
	// Attempt counts from 1.
	Attempt int
	// Worker and Node are who has it.
	Worker, Node string
	// Report is what the node said last.
	Report muster.TaskReport
	// Err is why it waits, or why the last attempt failed.
	Err error
}

// Outcome is how a job ended.
type Outcome struct {
	Job Job
	// Worker and Node are those of the last attempt.
	Worker, Node string
	// Attempts is how often it was begun.
	Attempts int
	// Refusals are of workers that could not do it, as one that lacks its files:
	// another was asked then.
	Refusals []Refusal
	// Took is the time from the first try to place it until its end.
	Took time.Duration
	// Report is what the node said last.
	Report muster.TaskReport
	// Err is nil where the task is done.
	Err error
}

// Refusal is of a worker that could not do a task.
type Refusal struct {
	Worker string `json:"worker"`
	// Reason is the worker's own.
	Reason string `json:"reason"`
}

var (
	// ErrRefused: the spec or the request is wrong; nobody else would take it.
	ErrRefused = errors.New("refused")
	// ErrUnfit is an ErrRefused that lies at the worker, as the node says: it lacks
	// the files, or an encoder. Another worker is asked, where there is one.
	ErrUnfit = fmt.Errorf("%w", ErrRefused)
	// ErrLost: the worker or its node died with the task.
	ErrLost = errors.New("lost")
	// ErrTaken: a task of that name exists, with another spec or room. It is
	// left as it is.
	ErrTaken = errors.New("the name is taken")
	// ErrJoined: the run was interrupted, and the task goes on: it is the same
	// one that another run began, which alone stops it.
	ErrJoined = errors.New("another run began the task, which goes on")
	// ErrFailed: the node did the task, and failed.
	ErrFailed = errors.New("failed")
	// ErrInput is an ErrFailed that lies at the task's input, as the node says:
	// every other would fail too, so that the task is not begun again.
	ErrInput = fmt.Errorf("%w", ErrFailed)
	// ErrNoPlace: no worker took the task within Options.Patience.
	ErrNoPlace = errors.New("no worker took it")
)
