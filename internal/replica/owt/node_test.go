package owt

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"sync"
	"testing"

	"github.com/muster-fleet/muster/internal/replica"
	"github.com/muster-fleet/muster/internal/state"
)

// nodeManager is a manager in Node.js: testdata/node, written after the wire,
// which knows nothing of what we add to it.
type nodeManager struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.Writer
	roles chan string
	shown chan json.RawMessage
	ended sync.WaitGroup
}

func startNode(t *testing.T, cluster string, id int64) *nodeManager {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("%v: run scripts/install-tools", err)
	}
	n := &nodeManager{t: t, roles: make(chan string, 64), shown: make(chan json.RawMessage, 64)}
	n.cmd = exec.Command(program, "testdata/node/manager.js", shared.Broker(t).URL(), cluster, strconv.FormatInt(id, 10))
	n.cmd.Stderr = os.Stderr
	in, err := n.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.in = in
	n.ended.Go(func() { n.listen(out) })
	t.Cleanup(n.kill)
	return n
}

func (n *nodeManager) listen(out io.Reader) {
	defer close(n.roles)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var line struct {
			Role  string
			State json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			n.t.Errorf("%s: %v", lines.Bytes(), err)
		}
		if line.State != nil {
			n.shown <- line.State
		} else {
			n.roles <- line.Role
		}
	}
}

// kill ends it as kill -9 does.
func (n *nodeManager) kill() {
	_ = n.cmd.Process.Kill()
	n.ended.Wait()
	_ = n.cmd.Wait()
}

func (n *nodeManager) untilRole(want string) {
	n.t.Helper()
	for role := take(n.t, n.roles, "a role of the Node manager"); role != want; {
		role = take(n.t, n.roles, "the Node manager to be "+want)
	}
}

func (n *nodeManager) write(line string) {
	n.t.Helper()
	if _, err := io.WriteString(n.in, line+"\n"); err != nil {
		n.t.Fatal(err)
	}
}

// tell lets something happen at the Node master.
func (n *nodeManager) tell(kind, payload string) {
	n.t.Helper()
	n.write(`{"tell":{"type":"` + kind + `","payload":` + payload + `}}`)
}

func (n *nodeManager) state() json.RawMessage {
	n.t.Helper()
	n.write(`{"show":true}`)
	return take(n.t, n.shown, "the Node manager's state")
}

// untilAlike waits until the Node manager has what ours has, and ours what it
// has: messages are on their way.
func (n *nodeManager) untilAlike(ours *manager) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		theirs, own := n.state(), ours.json()
		if sameJSON(n.t, theirs, json.RawMessage(own)) {
			return
		}
		if ctx.Err() != nil {
			n.t.Fatalf("the Node manager has\n%s\nand ours\n%s", theirs, own)
		}
	}
}

func sameJSON(t *testing.T, a, b json.RawMessage) bool {
	t.Helper()
	return reflect.DeepEqual(decode[any](t, a), decode[any](t, b))
}

// A cluster rolls over from Node's managers to ours and back while it lives:
// slave of a Node master, its heir, master of a Node slave, and its ancestor.
func TestBesideLivingNodeManagers(t *testing.T) {
	const cluster = "beside-node"
	first := startNode(t, cluster, 900_000_001)
	first.untilRole("master")
	first.tell("worker_join", `{"purpose":"video","worker":"w1","info":{"ip":"10.0.0.1","purpose":"video","state":2,"maxLoad":0.85,"odd":[null,{"a":"ü"}]}}`)
	first.tell("worker_load", `{"worker":"w1","load":0.25}`)

	ours := open(t, dialRabbit(t), cluster, high)
	ours.untilRole(replica.Follower)
	ours.untilSynced()
	first.tell("scheduled", `{"purpose":"video","task":"t1","worker":"w1","reserve_time":60000}`)
	first.tell("worker_pickup", `{"worker":"w1","tasks":["t1","t0"]}`)
	first.tell("worker_state", `{"worker":"w1","state":2}`)
	first.untilAlike(ours)
	before := first.state()

	first.kill()
	ours.untilRole(replica.Leader)
	if own := ours.json(); !sameJSON(t, before, json.RawMessage(own)) {
		t.Errorf("our heir has\n%s\nof\n%s", own, before)
	}

	second := startNode(t, cluster, 900_000_002)
	second.untilRole("slave")                                                                                  // though its id is larger
	ours.mustPropose(join("w2"), load("w2", 0.5), schedule("t2"), state.LayDownTask{Worker: "w1", Task: "t1"}) // one that was placed: of others OWT knows no reserve time
	second.untilAlike(ours)
	ours.want(replica.Leader)

	before = json.RawMessage(ours.json())
	if err := ours.Retire(within(t)); err != nil {
		t.Fatal(err)
	}
	second.untilRole("master")
	if theirs := second.state(); !sameJSON(t, before, theirs) {
		t.Errorf("the Node heir has\n%s\nof\n%s", theirs, before)
	}
	ours.untilRole(replica.Follower)
	if s := ours.counts(); s.Malformed != 0 {
		t.Errorf("%+v", s)
	}
	ours.end()
}
