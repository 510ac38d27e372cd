package manager

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/state"
)

// many is a decoded scheduleMany. What is wrong with one task is its own
// answer, and does not hold the others back.
type many struct {
	op state.ScheduleMany
	// wrong is what is wrong with each task, nil where it can be decided: op has
	// the others, in the same order.
	wrong  []error
	wanted wanted
}

// decodeScheduleMany reads scheduleMany([{"purpose", "task", "preference",
// "reserveTime"}, ...], {"explain"}).
func decodeScheduleMany(r *reader) action {
	m := many{wanted: wantedIn(r.raw(1))}
	m.wanted.placement = true
	raw := r.raw(0)
	list := gjson.ParseBytes(raw)
	switch n := count(list, muster.MaxScheduleMany); {
	case !list.IsArray() || n == 0:
		r.fail(0, "tasks", "must be a non-empty array of objects")
		return nil
	case n > muster.MaxScheduleMany:
		r.fail(0, "tasks", fmt.Sprintf("must not be more than %d: schedule them in parts", muster.MaxScheduleMany))
		return nil
	default:
		m.wrong, m.op.Tasks = make([]error, 0, n), make([]state.Schedule, 0, n)
	}
	list.ForEach(func(_, value gjson.Result) bool {
		task, err := scheduleOf(len(m.wrong), raw, value)
		if m.wrong = append(m.wrong, err); err == nil {
			m.op.Tasks = append(m.op.Tasks, task)
		}
		return true
	})
	return func(c *core, req *bus.Request) { c.scheduleMany(req, m) }
}

// count is how many elements a list has, as far as one more than most.
func count(list gjson.Result, most int) (n int) {
	if list.IsArray() {
		list.ForEach(func(_, _ gjson.Result) bool {
			n++
			return n <= most
		})
	}
	return n
}

// The arguments of schedule as members of a task of scheduleMany.
var scheduleMembers = [...]string{"purpose", "task", "preference", "reserveTime"}

// scheduleOf reads the i-th task, a part of raw, held to the bounds of the arguments
// of schedule. Only its preference is a copy: it may be kept when the request is not.
func scheduleOf(i int, raw json.RawMessage, value gjson.Result) (state.Schedule, error) {
	if !value.IsObject() {
		return state.Schedule{}, fmt.Errorf("scheduleMany: tasks[%d] must be an object", i)
	}
	var args [len(scheduleMembers)]json.RawMessage
	value.ForEach(func(key, member gjson.Result) bool {
		for at, name := range scheduleMembers {
			if key.Str == name {
				args[at] = raw[member.Index : member.Index+len(member.Raw)]
			}
		}
		return true
	})
	r := reader{method: "scheduleMany", args: args[:], item: i + 1}
	op := r.schedule()
	op.Preference = bytes.Clone(op.Preference)
	return op, r.err
}

// schedule reads the first four arguments of schedule.
func (r *reader) schedule() state.Schedule {
	return state.Schedule{
		Purpose:       r.name(0, "purpose"),
		Task:          r.task(1),
		Preference:    r.preference(2),
		ReserveMillis: r.millis(3, "reserveTime"),
	}
}

// scheduleMany decides all tasks in one command, and answers them together.
func (c *core) scheduleMany(req *bus.Request, m many) {
	if !c.inService {
		for _, task := range m.op.Tasks {
			c.measures.placed(task.Purpose, state.Result{Err: muster.ReasonNotReady}, 0, "")
		}
		req.Refuse(muster.ReasonNotReady)
		return
	}
	if len(m.op.Tasks) == 0 {
		req.Reply(placedMany(nil, m))
		return
	}
	begin := c.out.now()
	c.propose(req, m.op, func(result state.Result) {
		if result.Err != nil {
			req.Refuse(result.Err)
			return
		}
		req.Reply(placedMany(result.Many, m))
		c.measures.placedMany(m.op.Tasks, result.Many, c.since(begin), c.traceID)
		for i, task := range m.op.Tasks {
			c.feed.decided(task, result.Many[i])
		}
	})
}

const (
	// explainRoom is how long an answer to scheduleMany may get by explanations,
	// infoRoom by what its workers said of themselves, in bytes. With the rest it
	// fits into a message of NATS with its usual max_payload.
	explainRoom = 384 << 10
	infoRoom    = 640 << 10
)

// placedMany is {"tasks": [...], "workers": {...}}: for each task in the order
// of the request {"id", "placement"} or {"error"}, with its explanation where
// that is wanted, and the info of each worker once. Explanations and infos for
// which there is no room are left out.
func placedMany(results []state.Result, m many) json.RawMessage {
	out := append(make([]byte, 0, 256+80*len(m.wrong)), `{"tasks":[`...)
	next := 0
	for i, wrong := range m.wrong {
		if i > 0 {
			out = append(out, ',')
		}
		if wrong != nil {
			out = appendRefused(out, wrong, nil)
			continue
		}
		out = appendOne(out, &results[next], m.wanted)
		next++
	}
	out = append(out, `],"workers":{`...)
	return append(appendInfos(out, results), "}}"...)
}

// appendInfos adds what each worker said of itself, once.
func appendInfos(out []byte, results []state.Result) []byte {
	seen := make(map[string]bool, min(len(results), 64))
	if len(results) > 0 { // a guess, so that out seldom grows: as many workers as tasks, up to 64
		out = slices.Grow(out, min(len(results), 64)*(len(results[0].Worker)+len(results[0].Info)+4))
	}
	for i := range results {
		r := &results[i]
		if r.Worker == "" || seen[r.Worker] || len(out)+len(r.Info) > infoRoom {
			continue
		}
		if len(seen) > 0 {
			out = append(out, ',')
		}
		seen[r.Worker] = true
		out = append(gjson.AppendJSONString(out, r.Worker), ':')
		if r.Info == nil {
			out = append(out, "null"...)
		}
		out = append(out, r.Info...)
	}
	return out
}

// appendOne adds the answer for one task.
func appendOne(out []byte, result *state.Result, wanted wanted) []byte {
	why := result.Explanation
	if len(out) > explainRoom || !(wanted.choice || wanted.refusal && result.Err != nil) {
		why = nil
	}
	if result.Err != nil {
		return appendRefused(out, result.Err, why)
	}
	out = gjson.AppendJSONString(append(out, `{"id":`...), result.Worker)
	if result.Placement != 0 {
		out = strconv.AppendUint(append(out, `,"placement":`...), result.Placement, 10)
	}
	return append(appendWhy(out, why), '}')
}

func appendRefused(out []byte, err error, why *muster.Explanation) []byte {
	out = gjson.AppendJSONString(append(out, `{"error":`...), err.Error())
	if reason, ok := err.(muster.Reason); ok {
		out = gjson.AppendJSONString(append(out, `,"code":`...), string(reason.Code))
	}
	return append(appendWhy(out, why), '}')
}

func appendWhy(out []byte, why *muster.Explanation) []byte {
	if why == nil {
		return out
	}
	raw, err := json.Marshal(why)
	if err != nil {
		return out
	}
	return append(append(out, `,"explanation":`...), raw...)
}
