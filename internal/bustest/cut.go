package bustest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Wire is a proxy between a Conn and its broker that a case can cut. To the broker
// this looks like the death of a process.
type Wire struct {
	broker   string
	listener net.Listener
	running  sync.WaitGroup

	gate sync.RWMutex // locked for writing while the wire is halted

	mu          sync.Mutex
	cut, halted bool
	conns       []net.Conn
}

// NewWire listens on a port of its own and forwards everything to the broker at
// that address, until it is cut or the test ends.
func NewWire(t testing.TB, broker string) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{broker: broker, listener: l}
	w.running.Go(w.accept)
	t.Cleanup(func() {
		w.Cut()
		w.running.Wait()
	})
	return w
}

// Addr returns the address to dial instead of the broker.
func (w *Wire) Addr() string { return w.listener.Addr().String() }

// Cut closes all connections at once, and accepts no new ones.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	w.listener.Close()
	w.drop()
	w.resume()
}

// Halt stops forwarding without closing connections. To the broker this looks like
// a stopped process or an unplugged cable. Resume or Cut must follow.
func (w *Wire) Halt() {
	w.gate.Lock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.halted = true
}

// Resume forwards again, beginning with what was sent in the meantime.
func (w *Wire) Resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resume()
}

// resume requires w.mu.
func (w *Wire) resume() {
	if w.halted {
		w.halted = false
		w.gate.Unlock()
	}
}

// Tear closes all connections at once, but accepts new ones.
func (w *Wire) Tear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop()
}

func (w *Wire) drop() {
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

func (w *Wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.broker)
		if err != nil || !w.keep(near, far) {
			near.Close()
			continue
		}
		w.running.Go(func() { w.pass(near, far) })
		w.running.Go(func() { w.pass(far, near) })
	}
}

// keep records the connections. It returns false if the wire was cut already.
func (w *Wire) keep(near, far net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		far.Close()
		return false
	}
	w.conns = append(w.conns, near, far)
	return true
}

// gated is a writer that blocks while the wire is halted.
type gated struct {
	wire *Wire
	net.Conn
}

func (g gated) Write(p []byte) (int, error) {
	g.wire.gate.RLock()
	defer g.wire.gate.RUnlock()
	return g.Conn.Write(p)
}

// pass copies until either side ends, and then closes both.
func (w *Wire) pass(from, to net.Conn) {
	_, _ = io.Copy(gated{w, to}, from)
	from.Close()
	to.Close()
}
