package worker

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
)

// The answers of a manager to join and keepAlive.
const (
	answerInitializing = "initializing"
	answerOK           = "ok"
	// answerOKLoad is "ok" from a manager that took the load of the keep-alive.
	answerOKLoad    = "ok+load"
	answerWhoAreYou = "whoareyou"
)

// errForgotten is why contact is lost to a manager that answers.
var errForgotten = errors.New("the manager no longer knows this worker")

type phase int

const (
	joining phase = iota
	joined
	rejoining
	ended
)

// machine is the worker's side of the protocol: ticks, answers and calls of the
// program go in, actions come out. It has no clock, no goroutine and no
// connection: now is set before each input.
type machine struct {
	id string
	// incarnation distinguishes this process from others with the same id.
	incarnation string

	retries int
	misses  int
	now     time.Time

	phase phase
	// calling: a join is in flight. There is never more than one.
	calling bool
	// failures are joins that failed in a row, lastFailure the last of them.
	failures    int
	lastFailure error
	// member: some manager may believe that this worker is in its cluster.
	member bool
	// lost: OnLost has been called, and OnRecovered not yet.
	lost bool

	// beat numbers the keep-alives. Answers to those up to stale are ignored.
	beat, stale uint64
	// missed are keep-alives that failed in a row, silent those among the
	// last of them that some manager may have received.
	missed, silent int

	tasks []string
	// numbers are the placement numbers of the tasks' last claims, where known.
	numbers map[string]uint64
	// claims are under way, by task; ends is how often each of these tasks
	// ended meanwhile.
	claims, ends map[string]int
	// maxTasks is how many tasks may be claimed; 0 is any number. dropping is
	// how many were dropped that the program is still ending.
	maxTasks, dropping int
	// checks: tasks are compared with the manager's soon after a report, and not
	// only every compareBeats. checkSoon: with the next keep-alive.
	checks, checkSoon bool
	// unloaded: no load is reported yet, so that a manager that takes this worker
	// in again places nothing on it before it knows the tasks that run.
	unloaded bool
	// plain: the manager does not implement checkWorker.
	plain bool
	// changes counts the changes that the program made to its tasks.
	changes int
	state   *muster.WorkerState
	report  report
	unackedReports
	// pickups are those of tasks that were picked up recently.
	pickups unackedReports
	// term is that of the manager that answered last, 0 where it is unknown.
	term uint64
	// stateBeat is the last keep-alive that was sent before the state was reported.
	stateBeat uint64
	// resync: reports up to the beat resyncAfter may be lost.
	resync      bool
	resyncAfter uint64

	actions []action
}

// action is something for the runtime to do. The concrete types follow.
type action any

type (
	// callJoin and callKeepAlive ask the manager; the answer comes back with
	// joinAnswered and keepAliveAnswered.
	callJoin struct{}
	// load is what the worker reports with it, nil for nothing.
	callKeepAlive struct {
		beat uint64
		load *float64
	}
	// callTasks asks which tasks the manager knows; see tasksAnswered. plain:
	// with OWT's method.
	callTasks struct {
		changes int
		plain   bool
	}
	// callElsewhere asks which of the tasks another worker has.
	callElsewhere struct {
		changes int
		tasks   []string
	}
	// cast sends a report to the manager, in order.
	cast struct {
		method string
		args   []any
	}
	// afterwards is run when the casts before it have been sent.
	afterwards struct{ run func() }
	// rest schedules the next tick one interval from now.
	rest struct{}
	// The events of the callbacks. happenedJoined is the end of joining.
	happenedJoined     struct{}
	happenedLost       struct{ why error }
	happenedRecovered  struct{}
	happenedDropped    struct{ tasks []string }
	happenedOverloaded struct{ overloaded bool }
	// giveUp ends the worker; quit: the manager should learn of it.
	giveUp struct {
		err  error
		quit bool
	}
)

func (m *machine) emit(a ...action) { m.actions = append(m.actions, a...) }

// take returns the actions so far, in the order in which they are to be done.
func (m *machine) take() []action {
	actions := m.actions
	m.actions = nil
	return actions
}

func (m *machine) tell(method string, args ...any) {
	m.emit(cast{method, append([]any{m.id}, args...)})
}

// tasksAtOnce is how many tasks travel in one message, which must not grow too
// large: see muster.MaxBody.
const tasksAtOnce = 500

// tick handles an elapsed interval.
func (m *machine) tick() {
	switch m.phase {
	case joining, rejoining:
		m.tryJoin()
	case joined:
		m.beat++
		m.emit(m.keepAlive())
		if m.beat%compareBeats == 0 || m.checks && m.checkSoon {
			m.checkSoon = false
			m.emit(callTasks{m.changes, m.plain})
		}
	}
}

func (m *machine) tryJoin() {
	if !m.calling {
		m.calling, m.member = true, true
		m.emit(callJoin{})
	}
}

// joinAnswered handles the outcome of callJoin.
func (m *machine) joinAnswered(answer string, err error) {
	m.calling = false
	switch {
	case m.phase != joining && m.phase != rejoining:
	case errors.Is(err, bus.ErrClosed):
		m.end(err)
	case err != nil:
		m.joinFailed(err)
	default:
		m.enter(answer)
	}
}

func (m *machine) joinFailed(err error) {
	m.failures++
	m.lastFailure = err
	if m.phase == rejoining && errors.Is(err, muster.ReasonReplaced) { // a newer process has this id
		m.replaced()
		return
	}
	if m.phase == joining {
		m.member = !refused(err)
		if m.failures > m.retries {
			m.end(fmt.Errorf("%d tries failed, the last one: %w", m.failures, err))
			return
		}
	}
	m.emit(rest{})
}

// refused reports whether a join certainly failed; other errors leave its
// outcome unknown.
func refused(err error) bool {
	return errors.As(err, new(*bus.RemoteError)) || errors.Is(err, bus.ErrNoServer)
}

// enter handles a join that was answered. On rejoining, only a manager that is
// initializing takes the tasks back: any other has given them up.
func (m *machine) enter(answer string) {
	again := m.phase == rejoining
	m.phase, m.failures, m.missed, m.silent = joined, 0, 0, 0
	m.resync, m.plain, m.checkSoon = false, false, true
	m.report.taken = false // another manager may not support it
	if again && answer != answerInitializing && len(m.tasks) > 0 {
		m.dropped(m.tasks)
		m.changes++
		m.tasks, m.numbers, m.pickups = nil, nil, unackedReports{}
	}
	m.markUnacked()
	m.unloaded = m.checks && len(m.tasks) > 0
	m.tellAll()
	if m.unloaded {
		m.emit(callTasks{m.changes, m.plain})
	}
	if again {
		m.recover()
	} else {
		m.emit(happenedJoined{})
	}
	m.emit(rest{})
}

// tellAll reports the whole state of this worker to the manager. Reports of
// ended tasks come first: the worker no longer has them.
func (m *machine) tellAll() {
	m.emit(m.unackedReports.again(m.id)...)
	if m.state != nil {
		m.tell("reportState", int(*m.state))
	}
	m.tellTasks(m.tasks)
	m.tellLoad()
}

func (m *machine) recover() {
	if m.lost {
		m.lost = false
		m.emit(happenedRecovered{})
	}
}

// keepAliveAnswered handles the outcome of callKeepAlive.
func (m *machine) keepAliveAnswered(beat uint64, answer string, err error) {
	switch {
	case m.phase != joined || beat <= m.stale:
	case errors.Is(err, bus.ErrClosed):
		m.end(err)
	case err == nil && answer == answerOKLoad:
		m.report.answered(beat, true)
		m.heard(beat)
	case err == nil && answer == answerOK:
		m.report.answered(beat, false)
		m.heard(beat)
	case err == nil && answer == answerWhoAreYou:
		m.rejoin(errForgotten)
	case err == nil:
		m.miss(fmt.Errorf("keepAlive was answered %q", answer))
	default:
		m.miss(err)
	}
}

// heard handles the answer of a manager that knows this worker.
func (m *machine) heard(beat uint64) {
	m.missed, m.silent = 0, 0
	switch {
	case !m.resync:
		m.unackedReports.heard(beat)
		m.pickups.heard(beat)
	case beat > m.resyncAfter: // until unacknowledged reports are repeated, an answer says nothing about them
		m.resync = false
		m.markUnacked()
		m.tellAll()
	}
	m.recover()
}

// miss handles a keep-alive that failed. One that reached no manager, or an
// overloaded one, says nothing about whether the worker is still known: the next
// manager that answers will. Only the others lead to rejoining, which may cost
// the tasks.
func (m *machine) miss(err error) {
	m.missed++
	m.silent++
	m.mayHaveLost()
	if errors.Is(err, bus.ErrDisconnected) || errors.Is(err, bus.ErrNoServer) || errors.Is(err, muster.ReasonOverloaded) {
		m.silent = 0
	}
	switch {
	case m.silent >= m.misses:
		m.rejoin(err)
	case m.missed >= m.misses:
		m.lose(err)
	}
}

func (m *machine) lose(why error) {
	if !m.lost {
		m.lost = true
		m.emit(happenedLost{why})
	}
}

func (m *machine) rejoin(why error) {
	m.lose(why)
	m.phase, m.stale, m.failures = rejoining, m.beat, 0
	m.tryJoin()
}

// reconnected handles a connection that was made again: recent reports may be
// lost, and the silence until now was not the manager's.
func (m *machine) reconnected() {
	m.silent = 0
	m.markUnacked()
	m.mayHaveLost()
	m.tick()
	m.emit(rest{})
}

// castFailed handles a cast that was not sent.
func (m *machine) castFailed(err error) {
	switch {
	case m.phase == ended:
	case errors.Is(err, bus.ErrClosed):
		m.end(err)
	default:
		m.mayHaveLost()
	}
}

// mayHaveLost makes the worker report everything again, as soon as a manager
// answers a request made from now on.
func (m *machine) mayHaveLost() { m.resync, m.resyncAfter = true, m.beat }

// add, remove, reject and setState are calls of the program. Without contact to
// a manager they are only remembered.

func (m *machine) add(tasks []string) {
	m.changes++
	var fresh []string
	for _, t := range tasks {
		if !slices.Contains(m.tasks, t) {
			m.tasks = append(m.tasks, t)
			fresh = append(fresh, t)
			m.unackedReports.cancel(t)
			m.pickups.add(unackedReport{task: t, beat: m.beat})
		}
	}
	if len(fresh) > 0 && m.phase == joined {
		m.tellTasks(fresh)
		m.report.outdated()
	}
}

func (m *machine) remove(task string) {
	i := slices.Index(m.tasks, task)
	if i < 0 {
		return
	}
	m.changes++
	m.endedMeanwhile(task)
	m.tasks = slices.Delete(m.tasks, i, i+1)
	m.pickups.cancel(task)
	m.say("layDownTask", task, m.numbers[task])
	delete(m.numbers, task)
	m.report.outdated()
}

// reject gives up a reservation; after layDownTask, that of the same placement.
func (m *machine) reject(task string) { m.say("unschedule", task, m.unackedReports.placement(task)) }

// say reports the end of a task or reservation. placement is 0 where it is
// unknown.
func (m *machine) say(method, task string, placement uint64) {
	f := unackedReport{method: method, task: task, placement: placement, beat: m.beat}
	m.unackedReports.add(f)
	if m.phase == joined {
		m.emit(f.cast(m.id))
	}
}

func (m *machine) setState(s muster.WorkerState) {
	m.state, m.stateBeat = &s, m.beat
	if m.phase == joined {
		m.tell("reportState", int(s))
	}
}

// end stops the machine for good.
func (m *machine) end(err error) {
	if m.phase != ended {
		m.phase = ended
		m.emit(giveUp{err: err, quit: m.member})
	}
}
