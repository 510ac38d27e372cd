package conference

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/roomrec"
	"github.com/muster-fleet/muster/worker"
)

// recordAgain is the pause after a recorder that could not be placed.
const recordAgain = 2 * time.Second

// RecordOrder is the argument of record.
type RecordOrder struct {
	Room string `json:"room"`
	On   bool   `json:"on"`
	// By is who says so.
	By string `json:"by"`
}

func (c *Conference) record(r *bus.Request) {
	var o RecordOrder
	if err := worker.Decode(r.Args, &o); err != nil {
		r.Fail(err.Error())
		return
	}
	k := c.find(o.Room)
	if k == nil {
		r.Fail(NoRoom)
		return
	}
	k.mu.Lock()
	k.apply(room.Record{On: o.On, By: o.By, At: time.Now().Unix()})
	state := k.room.State()
	k.mu.Unlock()
	k.log.Info("recording", "on", o.On, "by", o.By)
	r.Reply(state.Recording)
}

// tendRecording looks after the recording of the room. The caller has locked k.
func (k *keeper) tendRecording(ctx context.Context, now time.Time) {
	rec := k.room.Recording()
	switch {
	case k.recorderBusy:
	case rec.On && rec.Node == "":
		k.withRecorder(func() { k.placeRecorder(ctx, rec) })
	case !rec.On && rec.Node != "":
		k.withRecorder(func() {
			k.endRecorder(ctx, rec)
			k.recorderLost(rec)
		})
	case rec.Node != "" && now.Sub(k.recorderSeen) >= lookEvery:
		k.recorderSeen = now
		k.withRecorder(func() { k.lookAtRecorder(ctx, rec) })
	}
}

// withRecorder does one thing with the recorder at a time. The caller has
// locked k.
func (k *keeper) withRecorder(f func()) {
	k.recorderBusy = true
	k.changing.Go(func() {
		f()
		k.mu.Lock()
		defer k.mu.Unlock()
		k.recorderBusy = false
	})
}

// placeRecorder asks for a recorder once.
func (k *keeper) placeRecorder(ctx context.Context, rec room.Recording) {
	found, err := k.recorder(ctx, rec)
	if err != nil {
		if ctx.Err() == nil {
			k.log.Warn("recording cannot be placed yet", "err", err)
		}
		pause.For(ctx, recordAgain)
		return
	}
	k.mu.Lock()
	k.apply(found)
	wanted := k.room.Recording().Node == found.Node
	k.mu.Unlock()
	if !wanted { // another order came meanwhile
		rec.Node, rec.Worker, rec.Task = found.Node, found.Worker, found.Task
		k.endRecorder(ctx, rec)
		return
	}
	k.log.Info("recording placed", "worker", found.Worker, "node", found.Node, "task", found.Task)
}

// recorder places a recording: a worker of the manager, a node of the worker.
func (k *keeper) recorder(ctx context.Context, rec room.Recording) (room.Recorded, error) {
	ctx, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	number := rec.Number + 1
	task := room.RecordingTask(k.name, number)
	spec, err := json.Marshal(map[string]roomrec.Spec{roomrec.Kind: {Room: k.name, Output: k.recordTo(rec), Wished: true, Cluster: k.conf.opts.Cluster}})
	if err != nil {
		return room.Recorded{}, err
	}
	worker, node, err := k.start(ctx, client.Request{Purpose: room.PurposeRecording, Task: task}, spec)
	return room.Recorded{Number: number, Worker: worker, Node: node, Task: task}, err
}

// recordTo is the directory of a recording: the same one for each recorder of it.
func (k *keeper) recordTo(rec room.Recording) string {
	name := strings.Map(func(r rune) rune {
		if r <= ' ' || strings.ContainsRune(`\:*?"<>|%`, r) {
			return '_'
		}
		return r
	}, strings.TrimLeft(k.name, ".-"))
	return path.Join(k.conf.opts.RecordTo, name, time.Unix(rec.Since, 0).UTC().Format("20060102T150405Z"))
}

// lookAtRecorder finds out whether the recording goes on.
func (k *keeper) lookAtRecorder(ctx context.Context, rec room.Recording) {
	wait, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	report, err := k.conf.opts.Client.TaskStats(wait, rec.Node, rec.Task)
	switch {
	case ctx.Err() != nil || errors.Is(err, bus.ErrDisconnected):
	case err == nil && report.State == muster.TaskRunning:
		k.mu.Lock()
		k.recorderMissed = 0
		k.mu.Unlock()
	case err == nil || errors.Is(err, bus.ErrNoServer) || errors.Is(err, client.ErrNoTask):
		k.log.Warn("recorder lost: placing the recording again", "node", rec.Node, "task", rec.Task, "reason", report.Error, "err", err)
		k.recorderLost(rec)
	default:
		k.mu.Lock()
		k.recorderMissed++
		gone := k.recorderMissed >= mostMissed
		k.mu.Unlock()
		if gone {
			k.log.Warn("recorder does not answer: placing the recording again", "node", rec.Node, "task", rec.Task)
			k.recorderLost(rec)
		}
	}
}

func (k *keeper) recorderLost(rec room.Recording) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.recorderMissed = 0
	k.apply(room.RecorderLost{Node: rec.Node})
}

// endRecorder ends a recording, whose files are whole then.
func (k *keeper) endRecorder(ctx context.Context, rec room.Recording) {
	ctx, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	err := k.conf.opts.Client.StopTask(ctx, rec.Node, rec.Task)
	if err != nil && !errors.Is(err, client.ErrNoTask) && !errors.Is(err, bus.ErrNoServer) {
		k.log.Warn("recording was not ended", "task", rec.Task, "err", err)
	}
	_ = k.conf.opts.Client.RecycleNode(ctx, rec.Worker, rec.Node, muster.TaskEnd{
		Room: k.name, Task: rec.Task, Result: &muster.TaskResult{State: muster.TaskDone},
	})
}
