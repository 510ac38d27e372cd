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

// nodeManager is a manager in Node.js, testdata/node. It was written from the
// recorded messages and knows nothing of our extension.
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

// kill kills it with SIGKILL.
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

// publish makes the Node master apply and publish an event.
func (n *nodeManager) publish(kind, payload string) {
	n.t.Helper()
	n.write(`{"publish":{"type":"` + kind + `","payload":` + payload + `}}`)
}

func (n *nodeManager) state() json.RawMessage {
	n.t.Helper()
	n.write(`{"show":true}`)
	return take(n.t, n.shown, "the Node manager's state")
}

// untilAlike waits until the Node manager and ours have the same state.
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

// A running cluster is moved from Node's managers to ours and back: ours is the
// slave of a Node master, its successor, the master of a Node slave, and is
// succeeded by it.
func TestBesideLivingNodeManagers(t *testing.T) {
	const cluster = "beside-node"
	first := startNode(t, cluster, 900_000_001)
	first.untilRole("master")
	first.publish("worker_join", `{"purpose":"video","worker":"w1","info":{"ip":"10.0.0.1","purpose":"video","state":2,"maxLoad":0.85,"odd":[null,{"a":"ü"}]}}`)
	first.publish("worker_load", `{"worker":"w1","load":0.25}`)

	ours := open(t, dialRabbit(t), cluster, high)
	ours.untilRole(replica.Follower)
	ours.untilSynced()
	first.publish("scheduled", `{"purpose":"video","task":"t1","worker":"w1","reserve_time":60000}`)
	first.publish("worker_pickup", `{"worker":"w1","tasks":["t1","t0"]}`)
	first.publish("worker_state", `{"worker":"w1","state":2}`)
	first.untilAlike(ours)
	before := first.state()

	first.kill()
	ours.untilRole(replica.Leader)
	if own := ours.json(); !sameJSON(t, before, json.RawMessage(own)) {
		t.Errorf("our successor has\n%s\nwant\n%s", own, before)
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
		t.Errorf("the Node successor has\n%s\nwant\n%s", theirs, before)
	}
	ours.untilRole(replica.Follower)
	if s := ours.counts(); s.Malformed != 0 {
		t.Errorf("%+v", s)
	}
	ours.end()
}
