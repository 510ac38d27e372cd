package election

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var simSeeds = flag.Int("election.seeds", 150, "how many random elections to play")

// broker carries messages between managers in the order in which they were
// published, to each of them after a delay of its own.
type broker struct {
	rng   *rand.Rand
	nodes []*simNode
	delay time.Duration // at most
	drop  float64
}

type simNode struct {
	e           *Election
	id          int64
	tick        time.Duration
	paused      time.Duration // until then it neither ticks nor hears
	sendLost    bool          // what it sends is lost
	receiveLost bool          // what is sent to it is lost
	inbox       []delivery
}

type delivery struct {
	at time.Duration
	m  Message
}

func newBroker(seed uint64, nodes int) *broker {
	b := &broker{rng: rand.New(rand.NewPCG(seed, 0)), delay: 30 * ms}
	for range nodes {
		id := MinID + b.rng.Int64N(MaxID-MinID)
		n := &simNode{e: New(id, DefaultTiming()), id: id, tick: time.Duration(b.rng.IntN(10)) * ms}
		n.e.Stand(Standing(b.rng.IntN(3)))
		b.nodes = append(b.nodes, n)
	}
	return b
}

func (b *broker) publish(now time.Duration, from *simNode, m Message) {
	for _, to := range b.nodes {
		switch {
		case m.Kind == Probe && to != from:
		case from.sendLost, to.receiveLost, b.rng.Float64() < b.drop:
		default:
			at := now + time.Duration(b.rng.Int64N(int64(b.delay)))
			if n := len(to.inbox); n > 0 {
				at = max(at, to.inbox[n-1].at)
			}
			to.inbox = append(to.inbox, delivery{at, m})
		}
	}
}

func (b *broker) step(now time.Duration) {
	for _, n := range b.nodes {
		if now < n.paused {
			continue
		}
		for len(n.inbox) > 0 && n.inbox[0].at <= now {
			n.e.Hear(now, n.inbox[0].m)
			n.inbox = n.inbox[1:]
		}
		if now >= n.tick {
			n.tick = now + 10*ms + time.Duration(b.rng.IntN(5))*ms
			for _, m := range n.e.Tick(now) {
				b.publish(now, n, m)
			}
		}
	}
}

// pause stops a random node for a while, as SIGSTOP does.
func (b *broker) pause(now time.Duration) {
	b.nodes[b.rng.IntN(len(b.nodes))].paused = now + time.Duration(b.rng.IntN(800))*ms
}

// cut cuts either direction of each connection at random.
func (b *broker) cut() {
	for _, n := range b.nodes {
		n.sendLost, n.receiveLost = b.rng.IntN(3) == 0, b.rng.IntN(3) == 0
	}
}

func (b *broker) heal() {
	b.drop = 0
	for _, n := range b.nodes {
		n.sendLost, n.receiveLost, n.paused = false, false, 0
	}
}

func (b *broker) serving(now time.Duration) (ids []int64) {
	for _, n := range b.nodes {
		if n.e.Serving(now) {
			ids = append(ids, n.id)
		}
	}
	return ids
}

func (b *broker) String() string {
	text := ""
	for _, n := range b.nodes {
		text += fmt.Sprintf(" %d: %v of %d, age %d;", n.id, n.e.Role(), n.e.MasterID(), n.e.master.beats.number)
	}
	return text
}

// settled reports whether one manager serves and all others follow it.
func (b *broker) settled(now time.Duration) bool {
	ids := b.serving(now)
	if len(ids) != 1 {
		return false
	}
	for _, n := range b.nodes {
		if n.id != ids[0] && (n.e.Role() != Slave || n.e.MasterID() != ids[0]) {
			return false
		}
	}
	return true
}

func TestAfterHealingThereIsOneMaster(t *testing.T) {
	const chaos, bound = 5 * time.Second, 1500 * ms
	for seed := range uint64(*simSeeds) {
		b := newBroker(seed, 2+int(seed%4))
		b.drop = 0.3
		for now := time.Duration(0); now < chaos; now += ms {
			switch b.rng.IntN(200) {
			case 0:
				b.pause(now)
			case 1:
				b.cut()
			}
			b.step(now)
		}
		b.heal()
		now := chaos
		for ; now < chaos+bound; now += ms {
			b.step(now)
		}
		for ; now < chaos+2*bound; now += ms {
			if b.step(now); !b.settled(now) {
				t.Fatalf("seed %d: %v after healing:%v", seed, now-chaos, b)
			}
		}
	}
}

// While messages are delayed by no more than 30 ms and none is lost, there are
// never two managers that serve, even if managers are stopped and wake up.
func TestStoppedManagersNeverServeTwice(t *testing.T) {
	seeds := []uint64{2128} // a probe, which no other manager receives, kept a lease alive
	for seed := range uint64(*simSeeds) {
		seeds = append(seeds, seed)
	}
	masters := 0
	for _, seed := range seeds {
		masters += len(playStops(t, seed))
	}
	if masters < 2*len(seeds) {
		t.Errorf("in %d histories %d managers served: the faults are too few", len(seeds), masters)
	}
}

// playStops returns the ids of the managers that served.
func playStops(t *testing.T, seed uint64) map[int64]bool {
	t.Helper()
	b := newBroker(seed, 2+int(seed%4))
	masters := map[int64]bool{}
	for now := time.Duration(0); now < 20*time.Second; now += ms {
		if b.rng.IntN(400) == 0 {
			b.pause(now)
		}
		b.step(now)
		ids := b.serving(now)
		if len(ids) > 1 {
			t.Fatalf("seed %d: at %v %v serve:%v", seed, now, ids, b)
		}
		for _, id := range ids {
			masters[id] = true
		}
	}
	return masters
}

// Whatever the ids, a manager that has the state is elected before one that
// has less of it.
func TestWhoHasMostIsElected(t *testing.T) {
	for seed := range uint64(*simSeeds) {
		b := newBroker(seed, 3)
		for i, n := range b.nodes {
			n.e.Stand(Standing((i + int(seed)) % 3))
		}
		for now := time.Duration(0); now < time.Second; now += ms {
			b.step(now)
		}
		for _, n := range b.nodes {
			if n.e.Role() == Master && n.e.standing != Current {
				t.Fatalf("seed %d: elected was the one with standing %d", seed, n.e.standing)
			}
		}
		if !b.settled(time.Second) {
			t.Errorf("seed %d: no master:%v", seed, b)
		}
	}
}
