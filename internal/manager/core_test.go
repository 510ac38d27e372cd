package manager

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// scene is what a core of a test has around it.
type scene struct {
	at       Moment
	role     replica.Role        // that was announced last
	departed []muster.WorkerLeft // that were published
}

func (s *scene) now() Moment              { return s.at }
func (s *scene) serve(role replica.Role)  { s.role = role }
func (s *scene) left(e muster.WorkerLeft) { s.departed = append(s.departed, e) }
func (s *scene) enter(input)              {}

func (s *scene) callAgent(string, string, ...any) bool  { return true }
func (s *scene) handBack([]HandBack, []state.DrainTask) {}
func (s *scene) endTask(string, string)                 {}
func (s *scene) async(f func())                         { go f() }

// pass lets time pass, without a tick.
func (s *scene) pass(d time.Duration) {
	s.at.Wall, s.at.Passed = s.at.Wall+muster.Instant(d.Milliseconds()), s.at.Passed+d
}

// sevens is a source of sevens.
type sevens struct{}

func (sevens) Uint64() uint64 { return 7 }

// newTestCore returns a core in service, at 1,000 ms.
func newTestCore() *core {
	c, _ := newScene(DefaultOptions())
	return c
}

// newScene returns a leader in service, at 1,000 ms, whose queue is connected, and
// what is around it.
func newScene(opts Options) (*core, *scene) {
	opts.ClusterID, opts.Replica = opts.Cluster, replica.NewLocal(opts.Placement)
	s := &scene{at: Moment{Wall: 1000}}
	c := newCore(opts, s, sevens{}, parts{})
	c.role, c.inService = replica.Role{Kind: replica.Leader, Term: 1}, true
	c.link.set(bus.Status{Connected: true})
	return c, s
}

// stateNow is the state with everything in it that was asked for.
func (c *core) stateNow() *state.State {
	c.flush()
	return c.replica.State()
}

// ask makes a request of the core, and returns the answer's JSON.
func ask(t *testing.T, c *core, method, args string) string {
	t.Helper()
	act, err := decode(method, argsOf(t, args))
	if err != nil {
		t.Fatalf("%s%s: %v", method, args, err)
	}
	var answer []byte
	act(c, bus.NewRequest(bus.Call{}, func(r bus.Reply) { answer = bus.AppendReply(nil, r) }))
	c.flush()
	if answer == nil {
		t.Fatalf("%s%s is not answered", method, args)
	}
	return string(answer)
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

const testInfo = `{"ip":"10.0.0.1","maxLoad":0.9,"capacity":{"isps":[],"regions":[]},"own":[1, 2]}`

func TestUnknownMembersOfInfoComeBack(t *testing.T) {
	c := newTestCore()
	ask(t, c, "join", `["conference","c-1@h",`+testInfo+`]`)
	ask(t, c, "reportLoad", `["c-1@h",0.1]`)
	expect(t, ask(t, c, "schedule", `["conference","room","preference",1000]`),
		`{"data":{"id":"c-1@h","info":`+testInfo+`},"type":"callback"}`)
}

func TestNothingIsPlacedBeforeTheManagerIsInService(t *testing.T) {
	c := newTestCore()
	c.inService = false
	expect(t, ask(t, c, "join", `["conference","c-1",`+testInfo+`]`), `{"data":"initializing","type":"callback"}`)
	expect(t, ask(t, c, "schedule", `["conference","room",null,1000]`),
		`{"data":"error","type":"callback","err":"cluster manager is not ready."}`)
	c.enterService()
	expect(t, ask(t, c, "join", `["conference","c-2",`+testInfo+`]`), `{"data":"in-service","type":"callback"}`)
}

// A worker that lost contact and joins again, told "initializing", picks up what
// it runs. Until it does, that is held for it.
func TestWorkerThatJoinsAgainKeepsItsTasks(t *testing.T) {
	c, scene := newScene(DefaultOptions())
	join := `["conference","c-1",` + testInfo + `]`
	expect(t, ask(t, c, "join", join), `{"data":"in-service","type":"callback"}`)
	ask(t, c, "pickUpTasks", `["c-1",["a","b"]]`)
	expect(t, ask(t, c, "join", join), `{"data":"initializing","type":"callback"}`)
	expect(t, ask(t, c, "getTasks", `["c-1"]`), `{"data":[],"type":"callback"}`)
	expect(t, ask(t, c, "getScheduled", `["conference","a"]`), `{"data":"c-1","type":"callback"}`)
	ask(t, c, "pickUpTasks", `["c-1",["a"]]`)
	expect(t, ask(t, c, "getTasks", `["c-1"]`), `{"data":["a"],"type":"callback"}`)
	scene.pass(24 * time.Hour)
	c.step((*core).expire)
	expect(t, ask(t, c, "getScheduled", `["conference","b"]`), `{"data":"error","type":"callback","err":"No such a task"}`)
}

func TestSilentWorkerIsRemovedAndAnnounced(t *testing.T) {
	c, scene := newScene(DefaultOptions())
	ask(t, c, "join", `["conference","c-1",`+testInfo+`]`)
	ask(t, c, "pickUpTasks", `["c-1",["a"]]`)
	for range c.opts.CheckAliveCount {
		c.step((*core).countSilence)
	}
	expect(t, ask(t, c, "keepAlive", `["c-1"]`), `{"data":"ok","type":"callback"}`)
	for range c.opts.CheckAliveCount + 1 {
		c.step((*core).countSilence)
	}
	expect(t, ask(t, c, "keepAlive", `["c-1"]`), `{"data":"whoareyou","type":"callback"}`)
	expect(t, ask(t, c, "getScheduled", `["conference","a"]`), `{"data":"error","type":"callback","err":"No such a task"}`)
	left := scene.departed
	if len(left) != 1 || left[0].Worker != "c-1" || left[0].Reason != muster.LeftLost {
		t.Errorf("announced %v, want c-1 lost", left)
	}
}

func TestReportsInARowAreOneCommand(t *testing.T) {
	c := newTestCore()
	ask(t, c, "join", `["conference","c-1",`+testInfo+`]`)
	ask(t, c, "join", `["conference","c-2",`+testInfo+`]`)
	for _, args := range []string{`["c-1",0.1]`, `["c-2",0.2]`, `["c-1",0.3]`} {
		act, err := decode("reportLoad", argsOf(t, args))
		if err != nil {
			t.Fatal(err)
		}
		act(c, bus.NewRequest(bus.Call{}, nil))
	}
	if len(c.pending) != 1 {
		t.Errorf("%d commands wait, want 1", len(c.pending))
	}
	if w, _ := c.stateNow().Worker("c-1"); w.Load != 0.3 {
		t.Errorf("load of c-1 is %v, want 0.3, the last one reported", w.Load)
	}
	if w, _ := c.stateNow().Worker("c-2"); w.Load != 0.2 {
		t.Errorf("load of c-2 is %v, want 0.2", w.Load)
	}
}

func TestManyReportsAreSeveralCommands(t *testing.T) {
	c := newTestCore()
	ask(t, c, "join", `["conference","c-1",`+testInfo+`]`)
	for range maxReports + 1 {
		act, err := decode("reportLoad", argsOf(t, `["c-1",0.1]`))
		if err != nil {
			t.Fatal(err)
		}
		act(c, bus.NewRequest(bus.Call{}, nil))
	}
	if len(c.pending) != 2 {
		t.Errorf("%d reports are %d commands, want 2", maxReports+1, len(c.pending))
	}
}

func TestCallsOfCastMethodsAreAnswered(t *testing.T) {
	c := newTestCore()
	ask(t, c, "join", `["conference","c-1",`+testInfo+`]`)
	for _, request := range []struct{ method, args string }{
		{"reportState", `["c-1",2]`}, {"reportLoad", `["c-1",0.5]`}, {"pickUpTasks", `["c-1",["a"]]`},
		{"layDownTask", `["c-1","a"]`}, {"unschedule", `["c-1","a"]`}, {"quit", `["c-1"]`},
	} {
		expect(t, ask(t, c, request.method, request.args), `{"data":"ok","type":"callback"}`)
	}
	got := ask(t, c, "quit", `["c-1"]`)
	if !strings.Contains(got, "Worker [c-1] does NOT exist.") {
		t.Errorf("quit of a worker that is gone: %s", got)
	}
}

func TestRefusalSaysWhyToThoseWhoAsk(t *testing.T) {
	c := newTestCore()
	ask(t, c, "join", `["video","v-1",{"maxLoad":0.9,"capacity":{"isps":[],"regions":[],"video":{"encode":["vp8"],"decode":["vp8"]}}}]`)
	ask(t, c, "reportLoad", `["v-1",0.1]`)
	const want = `"err":"Failed in scheduling video worker, reason: No worker matches the preference."`
	plain := ask(t, c, "schedule", `["video","x",{"video":{"encode":["av1"]}},1000]`)
	expect(t, plain, `{"data":"error","type":"callback",`+want+`}`)

	var reply struct {
		Err    string
		Detail muster.Explanation
	}
	asked := ask(t, c, "schedule", `["video","x",{"video":{"encode":["av1"]}},1000,{"explain":true}]`)
	if err := json.Unmarshal([]byte(asked), &reply); err != nil {
		t.Fatal(err)
	}
	if reply.Detail.Workers != 1 || reply.Detail.Excluded[muster.RuleCodec] != 1 || reply.Detail.Reason != reply.Err {
		t.Errorf("explained by %+v, want 1 worker, excluded by the codec rule", reply.Detail)
	}
}

func TestStrategyChangesAtRunTime(t *testing.T) {
	c := newTestCore()
	for _, id := range []string{"a", "b"} {
		ask(t, c, "join", `["conference","`+id+`",`+testInfo+`]`)
		ask(t, c, "reportLoad", `["`+id+`",0.1]`)
	}
	place := func(task string) string {
		ask(t, c, "schedule", `["conference","`+task+`",null,1000]`)
		worker, _ := c.stateNow().Scheduled("conference", task)
		return worker
	}
	if got := place("1") + place("2"); got != "aa" {
		t.Errorf("last-used placed on %s, want aa", got)
	}
	placement := state.DefaultConfig()
	placement.Strategies["conference"] = muster.RoundRobin
	c.propose(nil, state.Configure{Config: placement}, nil)
	c.flush()
	if got := place("3") + place("4"); got != "ab" && got != "ba" {
		t.Errorf("round-robin placed on %s, want each once", got)
	}
}
