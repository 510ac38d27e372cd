package cluster

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// Way is what happens to the packets from one place to another.
type Way struct {
	// Loss is the share of them that gets lost, from 0 to 1.
	Loss float64
	// Delay is how long each is under way.
	Delay time.Duration
}

// Shut is a way on which nothing arrives, without an error.
var Shut = Way{Loss: 1}

// wire carries packets between networks that are apart. It is a program and not
// a cable of Linux's with netem, which many a kernel does not have. Every way
// between two places has its own fate, in each direction.
//
//	manager 1 ── TUN ──┐        ┌── TUN ── manager 2
//	                   ├─ wire ─┤
//	queue, callers ────┘        └── TUN ── manager 3
type wire struct {
	subnet [3]byte
	ends   []*os.File // by host number - 1
	done   sync.WaitGroup

	mu     sync.Mutex
	random *rand.Rand
	ways   map[[2]int]Way
	late   map[[2]int]chan latePacket
}

// latePacket is one that is under way.
type latePacket struct {
	due  time.Time
	data []byte
}

const (
	// maxPacket is more than the devices' largest packet.
	maxPacket = 2048
	// maxLate is how many packets a way holds; more are lost, as in a router.
	maxLate = 1000
)

// newWire returns a wire without places, in a subnet that no real network has:
// 198.18.0.0/15 is set aside for tests of networks (RFC 2544).
func newWire() *wire {
	return &wire{
		subnet: [3]byte{198, byte(18 + rand.IntN(2)), byte(rand.IntN(256))},
		random: rand.New(rand.NewPCG(1, 0)),
		ways:   map[[2]int]Way{}, late: map[[2]int]chan latePacket{},
	}
}

// host is the address of a place.
func (w *wire) host(place int) string {
	return fmt.Sprintf("%d.%d.%d.%d", w.subnet[0], w.subnet[1], w.subnet[2], place+1)
}

// join gives the network of a crew the next place.
func (w *wire) join(c *Crew) error {
	end, err := c.joinWire(w.host(len(w.ends)) + "/24")
	if err == nil {
		w.ends = append(w.ends, end)
	}
	return err
}

// start carries packets until close.
func (w *wire) start() {
	for from := range w.ends {
		w.done.Go(func() { w.carry(from) })
	}
}

func (w *wire) close() {
	for _, end := range w.ends {
		_ = end.Close()
	}
	w.done.Wait()
}

// carry passes on what comes from one place.
func (w *wire) carry(from int) {
	buf := make([]byte, maxPacket)
	defer w.endLate(from)
	for {
		n, err := w.ends[from].Read(buf)
		if err != nil {
			return // closed
		}
		if to, ok := w.destination(buf[:n]); ok && to != from {
			w.pass(from, to, buf[:n])
		}
	}
}

// destination reads the place from the header of an IPv4 packet.
func (w *wire) destination(packet []byte) (place int, ok bool) {
	const version, target, header = 4, 16, 20
	if len(packet) < header || packet[0]>>4 != version || [3]byte(packet[target:target+3]) != w.subnet {
		return 0, false
	}
	place = int(packet[target+3]) - 1
	return place, place >= 0 && place < len(w.ends)
}

func (w *wire) pass(from, to int, packet []byte) {
	w.mu.Lock()
	way := w.ways[[2]int{from, to}]
	lost := way.Loss > 0 && w.random.Float64() < way.Loss
	w.mu.Unlock()
	switch {
	case lost:
	case way.Delay > 0:
		w.passLate(from, to, latePacket{time.Now().Add(way.Delay), append([]byte(nil), packet...)})
	default:
		_, _ = w.ends[to].Write(packet)
	}
}

// passLate keeps the order of the packets of a way.
func (w *wire) passLate(from, to int, p latePacket) {
	key := [2]int{from, to}
	w.mu.Lock()
	queue := w.late[key]
	if queue == nil {
		queue = make(chan latePacket, maxLate)
		w.late[key] = queue
		w.done.Go(func() { w.deliverLate(to, queue) })
	}
	w.mu.Unlock()
	select {
	case queue <- p:
	default:
	}
}

func (w *wire) deliverLate(to int, queue <-chan latePacket) {
	for p := range queue {
		<-time.After(time.Until(p.due))
		_, _ = w.ends[to].Write(p.data)
	}
}

// endLate ends what delivers late for a place, of which nothing more will come.
func (w *wire) endLate(from int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, queue := range w.late {
		if key[0] == from {
			close(queue)
		}
	}
}

// set says what happens from now on to packets of a way.
func (w *wire) set(from, to int, way Way) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ways[[2]int{from, to}] = way
}

// clear lets everything pass.
func (w *wire) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.ways)
}
