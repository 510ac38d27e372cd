package bustest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Wire stands between a Conn and its broker, so that a case can cut it: what
// the broker sees then is what it sees when a process dies.
type Wire struct {
	broker   string
	listener net.Listener
	running  sync.WaitGroup

	gate sync.RWMutex // held for writing while the wire is halted

	mu          sync.Mutex
	cut, halted bool
	conns       []net.Conn
}

// NewWire listens on a port of its own and passes everything on to the broker
// at that address, until it is cut or the test ends.
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

// Addr is where to dial instead of the broker.
func (w *Wire) Addr() string { return w.listener.Addr().String() }

// Cut ends all connections at once, and lets nobody connect again.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	w.listener.Close()
	w.drop()
	w.resume()
}

// Halt lets nothing pass, and ends nothing: what the broker sees then is what it
// sees when a process is halted or a cable is pulled out. Resume must follow, or
// Cut.
func (w *Wire) Halt() {
	w.gate.Lock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.halted = true
}

// Resume lets pass again, from what was sent meanwhile on.
func (w *Wire) Resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resume()
}

// resume needs w.mu.
func (w *Wire) resume() {
	if w.halted {
		w.halted = false
		w.gate.Unlock()
	}
}

// Tear ends all connections at once, but lets them be made again.
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

// keep remembers the connections, and reports false when they came too late.
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

// gated is written to while the wire is not halted.
type gated struct {
	wire *Wire
	net.Conn
}

func (g gated) Write(p []byte) (int, error) {
	g.wire.gate.RLock()
	defer g.wire.gate.RUnlock()
	return g.Conn.Write(p)
}

// pass copies until either side ends, and then ends both.
func (w *Wire) pass(from, to net.Conn) {
	_, _ = io.Copy(gated{w, to}, from)
	from.Close()
	to.Close()
}
