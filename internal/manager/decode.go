package manager

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/state"
	"github.com/muster-fleet/muster/internal/taskname"
)

// An action is a decoded request. It runs on the goroutine that owns the state,
// and answers the request at once or when its command is applied.
type action func(*core, *bus.Request)

// A query is a decoded request that reads the state and changes nothing. It returns
// the answer, or why the request is refused.
type query func(*core, *state.State) (any, error)

// method is how requests of one method are decoded and answered, and who may send
// them.
type method struct {
	decode func(*reader) action
	// lookUp marks a method that may be answered from a stale state while no
	// manager leads.
	lookUp bool
	// query is set for a method whose answer is in the state and nowhere else, so that
	// a follower can give it.
	query func(*reader) query

	roles []bus.Role // may call it
	// ownArg is the argument that must be the sender's own name if the sender is a
	// worker, orderArg the one that names the operator; -1 is none.
	ownArg, orderArg int
}

// acts is a method that only the leader carries out.
func acts(decode func(*reader) action) method {
	return method{decode: decode, ownArg: -1, orderArg: -1}
}

// looksUp is a method that reads the state, also a stale one.
func looksUp(decode func(*reader) query) method { return reads(decode).stale() }

// inState is looksUp for an answer that is made of the state alone.
func inState(decode func(*reader) query) method {
	m := looksUp(decode)
	m.query = decode
	return m
}

// reads is a method that reads the state, but not a stale one: its caller acts
// on the answer.
func reads(decode func(*reader) query) method {
	return acts(func(r *reader) action {
		query := decode(r)
		return func(c *core, req *bus.Request) {
			c.lookUp(req, func(s *state.State) { answerQuery(c, req, s, query) })
		}
	})
}

func answerQuery(c *core, req *bus.Request, s *state.State, query query) {
	data, err := query(c, s)
	answer(req, data, err)
}

// stale lets a method be answered from a stale state.
func (m method) stale() method { m.lookUp = true; return m }

// by says who may call a method.
func (m method) by(roles []bus.Role) method { m.roles = roles; return m }

// own is the argument that must be the own name of a worker that calls.
func (m method) own(i int) method { m.ownArg = i; return m }

// order is the argument that names the operator who calls.
func (m method) order(i int) method { m.orderArg = i; return m }

// methods are the methods of the wire. What changes the state waits for a
// leader, and so does a sign of life: its answer tells a worker that the manager
// has everything that was sent before.
var methods = map[string]method{
	"join":            acts(decodeJoin).by(workers).own(1),
	"quit":            acts(decodeQuit).by(enders).own(0),
	"keepAlive":       acts(decodeKeepAlive).by(workers).own(0),
	"reportState":     acts(decodeReportState).by(workers).own(0),
	"reportLoad":      acts(decodeReportLoad).by(workers).own(0),
	"pickUpTasks":     acts(decodePickUpTasks).by(workers).own(0),
	"layDownTask":     acts(decodeLayDownTask).by(workers).own(0),
	"schedule":        acts(decodeSchedule).by(placers),
	"unschedule":      acts(decodeUnschedule).by(placers),
	"getWorkerAttr":   looksUp(decodeGetWorkerAttr).by(readers),
	"getWorkers":      looksUp(decodeGetWorkers).by(readers),
	"getTasks":        inState(decodeGetTasks).by(readers),
	"getScheduled":    inState(decodeGetScheduled).by(readers),
	"getClusterID":    acts(decodeGetClusterID).stale().by(readers),
	"registerInfo":    acts(decodeRegisterInfo).by(placers),
	"leaveConference": acts(decodeLeaveConference).by(placers),

	// Beyond OWT.
	"scheduleMany":  acts(decodeScheduleMany).by(placers),
	"claimTask":     acts(decodeClaimTask).by(workers).own(0),
	"checkWorker":   reads(decodeCheckWorker).by(workers).own(0),
	"why":           inState(decodeWhy).by(readers),
	"listWorkers":   looksUp(decodeListWorkers).by(readers),
	"listTasks":     inState(decodeListTasks).by(readers),
	"status":        acts(decodeStatus).stale().by(readers),
	"addManager":    acts(decodeAddManager).by(admins).order(1),
	"removeManager": acts(decodeRemoveManager).by(admins).order(1),

	// Orders of operators.
	"drain":       acts(decodeDrain).by(operators).order(0),
	"undrain":     acts(decodeUndrain).by(operators).order(0),
	"cordon":      acts(decodeCordon).by(operators).order(0),
	"uncordon":    acts(decodeUncordon).by(operators).order(0),
	"setStrategy": acts(decodeSetStrategy).by(operators).order(0),
	"setDebit":    acts(decodeSetDebit).by(operators).order(0),
	"listDrains":  inState(decodeListDrains).by(overseers),
	"getDrain":    inState(decodeGetDrain).by(overseers),
	"audit":       inState(decodeAudit).by(overseers),
	"record":      acts(decodeRecord).by(operators).order(0),
}

// isLookUp reports whether a request may be answered from a stale state.
func isLookUp(it item) bool { return methods[it.req.Method].lookUp }

// decode turns a method and its arguments into what is to be done. Its error
// says which argument is wrong and what it must be.
func decode(method string, args bus.Args) (action, error) {
	m, ok := methods[method]
	if !ok {
		return nil, muster.ReasonUnsupported
	}
	if size := sizeOf(method, args); size > muster.MaxBody {
		return nil, fmt.Errorf("%s: the request has %d bytes, must not have more than %d", method, size, muster.MaxBody)
	}
	r := reader{method: method, args: args}
	act := m.decode(&r)
	if r.err != nil {
		return nil, r.err
	}
	return act, nil
}

// sizeOf is how long a request is, without what the queue adds.
func sizeOf(method string, args bus.Args) int {
	size := len(method)
	for _, arg := range args {
		size += len(arg)
	}
	return size
}

// reader reads arguments, and keeps the first thing that is wrong with them.
type reader struct {
	method string
	args   bus.Args
	err    error
	// item is 0 for the arguments of a request, and n for the members of the
	// n-th task of a scheduleMany.
	item int
}

func (r *reader) fail(i int, what, must string) {
	switch {
	case r.err != nil:
	case r.item > 0:
		r.err = fmt.Errorf("%s: tasks[%d].%s %s", r.method, r.item-1, what, must)
	default:
		r.err = fmt.Errorf("%s: argument %d (%s) %s", r.method, i+1, what, must)
	}
}

// wrap keeps an error that names the part of an argument.
func (r *reader) wrap(i int, err error) {
	switch {
	case r.err != nil || err == nil:
	case r.item > 0:
		r.err = fmt.Errorf("%s: tasks[%d].%w", r.method, r.item-1, err)
	default:
		r.err = fmt.Errorf("%s: argument %d: %w", r.method, i+1, err)
	}
}

// raw returns an argument, nil where it is absent or null.
func (r *reader) raw(i int) json.RawMessage {
	if i >= len(r.args) || string(r.args[i]) == "null" {
		return nil
	}
	return r.args[i]
}

// name reads the name of anything but a task.
func (r *reader) name(i int, what string) string { return r.named(i, what, muster.MaxName) }

// task reads a task, which OWT's programs may name by any JSON value.
func (r *reader) task(i int) string {
	name := ""
	if i < len(r.args) {
		name = taskOf(r.args[i])
	}
	return r.checked(i, "task", name, muster.MaxTask)
}

func taskOf(raw json.RawMessage) string {
	if len(raw) > 0 && raw[0] == '"' {
		return text(raw)
	}
	return taskname.Of(raw)
}

func (r *reader) named(i int, what string, most int) string {
	return r.checked(i, what, text(r.raw(i)), most)
}

func (r *reader) checked(i int, what, name string, most int) string {
	if err := muster.CheckName(name, most); err != nil {
		r.fail(i, what, err.Error())
	}
	return name
}

// text returns a JSON string's text, "" for any other value. Most have nothing
// to unescape.
func text(raw json.RawMessage) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	return gjson.ParseBytes(raw).Str
}

// tasks reads the names of tasks.
func (r *reader) tasks(i int) []string {
	v := gjson.ParseBytes(r.raw(i))
	if !v.IsArray() {
		r.fail(i, "tasks", "must be an array of strings")
		return nil
	}
	var out []string
	v.ForEach(func(_, e gjson.Result) bool {
		task := taskOf(json.RawMessage(e.Raw))
		switch err := muster.CheckName(task, muster.MaxTask); {
		case task == "":
			r.fail(i, "tasks", "must be an array of non-empty strings")
		case err != nil:
			r.fail(i, "tasks", fmt.Sprintf("[%d] %v", len(out), err))
		case len(out) == muster.MaxTasks:
			r.fail(i, "tasks", fmt.Sprintf("must not be more than %d: report them in parts", muster.MaxTasks))
		}
		out = append(out, task)
		return r.err == nil
	})
	return out
}

func (r *reader) number(i int, what string) float64 {
	n, err := strconv.ParseFloat(string(r.raw(i)), 64)
	if err != nil || math.IsNaN(n) {
		r.fail(i, what, "must be a number")
		return 0
	}
	return n
}

func (r *reader) load(i int) float64 {
	load := r.number(i, "load")
	if load < 0 {
		r.fail(i, "load", "must not be negative")
	}
	return load
}

// millis reads a time that may be absent. What no reservation can mean is cut
// to what one can.
func (r *reader) millis(i int, what string) int64 {
	if r.raw(i) == nil {
		return 0
	}
	return int64(min(max(r.number(i, what), 0), state.MaxReserveMillis))
}

func (r *reader) info(i int) muster.Info {
	info, err := muster.ParseInfo(r.raw(i))
	if err == nil {
		err = info.Check()
	}
	r.wrap(i, err)
	return info
}

func (r *reader) preference(i int) json.RawMessage {
	raw := r.raw(i)
	r.wrap(i, muster.CheckPreference(raw))
	return raw
}

func decodeJoin(r *reader) action {
	purpose, worker, info := r.name(0, "purpose"), r.name(1, "worker"), r.info(2)
	return func(c *core, req *bus.Request) { c.join(req, purpose, worker, info) }
}

func decodeQuit(r *reader) action {
	return change(state.Quit{Worker: r.name(0, "worker")})
}

func decodeKeepAlive(r *reader) action {
	worker := r.name(0, "worker")
	if r.raw(1) == nil {
		return func(c *core, req *bus.Request) { c.keepAlive(req, worker) }
	}
	load := r.load(1)
	return func(c *core, req *bus.Request) { c.keepAliveWithLoad(req, worker, load) }
}

func decodeReportState(r *reader) action {
	worker, n := r.name(0, "worker"), r.number(1, "state")
	s := muster.WorkerState(n)
	if float64(s) != n || s < muster.StateInitializing || s > muster.StateReady {
		r.fail(1, "state", "must be 0, 1 or 2")
	}
	return fromWorker(worker, change(state.ReportState{Worker: worker, State: s}))
}

func decodeReportLoad(r *reader) action {
	worker, load := r.name(0, "worker"), r.load(1)
	return func(c *core, req *bus.Request) { c.reportLoad(req, worker, load) }
}

func decodePickUpTasks(r *reader) action {
	op := state.PickUpTasks{Worker: r.name(0, "worker"), Tasks: r.tasks(1), Placements: r.placements(2)}
	return fromWorker(op.Worker, change(op))
}

func decodeLayDownTask(r *reader) action {
	op := state.LayDownTask{Worker: r.name(0, "worker"), Task: r.task(1), Placement: r.placement(2)}
	return fromWorker(op.Worker, change(op))
}

func decodeSchedule(r *reader) action {
	op, wanted := r.schedule(), wantedIn(r.raw(4))
	return func(c *core, req *bus.Request) { c.schedule(req, op, wanted) }
}

func decodeUnschedule(r *reader) action {
	return change(state.Unschedule{Worker: r.name(0, "worker"), Task: r.task(1), Placement: r.placement(2)})
}

// change is the action that does no more than apply op: answered "ok", where
// an answer is wanted at all (OWT's programs cast these), or refused.
func change(op state.Op) action {
	return func(c *core, req *bus.Request) {
		c.propose(req, op, func(result state.Result) { answer(req, "ok", result.Err) })
	}
}

func answerOK(_ *core, req *bus.Request) { req.Reply("ok") }

func answer(req *bus.Request, data any, err error) {
	if err != nil {
		req.Refuse(err)
		return
	}
	req.Reply(data)
}
