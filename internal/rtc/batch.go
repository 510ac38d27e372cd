package rtc

import (
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/ipv4"
)

const (
	// batchSize is the most packets of one system call.
	batchSize = 64
	// batchWaiting is the most packets that wait; a sender that is faster than
	// the kernel waits with them.
	batchWaiting = 1024
)

// batchConn gathers the packets that many connections send at about the same
// time, and gives them to the kernel together (sendmmsg, where there is one).
// A packet never waits for others: the first one wakes the writer, and those
// that come while it wakes or writes go with the next call.
type batchConn struct {
	*net.UDPConn
	batch *ipv4.PacketConn

	mu      sync.Mutex
	room    *sync.Cond
	waiting []outgoing
	closed  bool
	err     error
	wake    chan struct{}
	done    chan struct{}

	// addresses of peers, in the form that the system call takes
	known map[netip.AddrPort]*net.UDPAddr
}

type outgoing struct {
	to   *net.UDPAddr
	data *[]byte
}

var packetPool = sync.Pool{New: func() any { b := make([]byte, 0, maxPacket); return &b }}

// mostKnown is how many addresses are remembered.
const mostKnown = 8192

func newBatchConn(conn *net.UDPConn) net.PacketConn {
	if conn.LocalAddr().(*net.UDPAddr).IP.To4() == nil {
		return conn // golang.org/x/net sends batches per family; this one is rare
	}
	c := &batchConn{
		UDPConn: conn, batch: ipv4.NewPacketConn(conn), known: map[netip.AddrPort]*net.UDPAddr{},
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	c.room = sync.NewCond(&c.mu)
	go c.write()
	return c
}

// ReadFromAddrPort is ice.AddrPortReaderWriter's.
func (c *batchConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return c.ReadFromUDPAddrPort(b)
}

// WriteToAddrPort queues a packet. An error is one of an earlier packet.
func (c *batchConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	data := packetPool.Get().(*[]byte)
	*data = append((*data)[:0], b...)
	c.mu.Lock()
	for len(c.waiting) >= batchWaiting && !c.closed {
		c.room.Wait()
	}
	if c.closed {
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	address := c.known[to]
	if address == nil {
		if len(c.known) >= mostKnown {
			clear(c.known)
		}
		address = net.UDPAddrFromAddrPort(to)
		c.known[to] = address
	}
	c.waiting = append(c.waiting, outgoing{address, data})
	err := c.err
	c.err = nil
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return len(b), err
}

// WriteTo is net.PacketConn's.
func (c *batchConn) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return c.UDPConn.WriteTo(b, to)
	}
	return c.WriteToAddrPort(b, u.AddrPort())
}

// write is the goroutine that calls the kernel.
func (c *batchConn) write() {
	defer close(c.done)
	var taken []outgoing
	messages := make([]ipv4.Message, batchSize)
	for i := range messages {
		messages[i].Buffers = make([][]byte, 1)
	}
	for range c.wake {
		c.mu.Lock()
		taken, c.waiting = c.waiting, taken[:0]
		closed := c.closed
		c.mu.Unlock()
		c.room.Broadcast()
		for rest := taken; len(rest) > 0; {
			n := min(len(rest), batchSize)
			c.flush(messages[:n], rest[:n])
			rest = rest[n:]
		}
		if closed {
			return
		}
	}
}

// flush sends a batch. A packet that cannot be sent, such as to an address
// without a route, is dropped, as UDP does.
func (c *batchConn) flush(messages []ipv4.Message, packets []outgoing) {
	for i, p := range packets {
		messages[i].Buffers[0], messages[i].Addr = *p.data, p.to
	}
	for rest := messages; len(rest) > 0; {
		n, err := c.batch.WriteBatch(rest, 0)
		if err != nil {
			c.mu.Lock()
			if !c.closed {
				c.err = err
			}
			c.mu.Unlock()
			n = max(n, 0) + 1
		}
		rest = rest[min(max(n, 1), len(rest)):]
	}
	for _, p := range packets {
		packetPool.Put(p.data)
	}
}

// Close sends what waits, and closes the port.
func (c *batchConn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.closed = true
	c.mu.Unlock()
	c.room.Broadcast()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	<-c.done
	return c.UDPConn.Close()
}
