package rtc

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/muster-fleet/muster/internal/mailbox"
)

const (
	// batchWait is how long the first packet of a batch waits for others. The
	// packets of a frame reach us within about this time.
	batchWait = 500 * time.Microsecond
	// batchWaiting is the most packets that wait; a sender that is faster than
	// the kernel waits with them.
	batchWaiting = 1024
	// mostMessages is the most messages of one system call.
	mostMessages = 64
	// mostSegments and mostBytes bound what the kernel cuts into packets itself.
	mostSegments = 48
	mostBytes    = 60_000
	// mostKnown is how many addresses are remembered.
	mostKnown = 8192
)

// batchConn gathers the packets that many connections send at about the same
// time, and gives them to the kernel together: those of one size to one address
// as a single message that the kernel cuts (UDP GSO), and many messages with one
// system call (sendmmsg), where the system has these.
type batchConn struct {
	plainConn
	batch *ipv4.PacketConn

	mu      sync.Mutex
	room    *sync.Cond
	waiting []outgoing
	closed  bool
	err     error
	wake    mailbox.Signal
	done    chan struct{}
	// known are the addresses of peers, in the form that the system call takes.
	known map[netip.AddrPort]*net.UDPAddr

	// of the goroutine that writes
	segments bool // the kernel cuts
	messages []ipv4.Message
	sizes    []int
	open     map[*net.UDPAddr]int
}

type outgoing struct {
	to   *net.UDPAddr
	data *[]byte
}

var packetPool = sync.Pool{New: func() any { b := make([]byte, 0, maxPacket); return &b }}

// plainConn sends packet by packet.
type plainConn struct{ *net.UDPConn }

// ReadFromAddrPort is ice.AddrPortReaderWriter's.
func (c plainConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return c.ReadFromUDPAddrPort(b)
}

// WriteToAddrPort is ice.AddrPortReaderWriter's.
func (c plainConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.WriteToUDPAddrPort(b, to)
}

func newBatchConn(conn *net.UDPConn) packetConn {
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	if conn.LocalAddr().(*net.UDPAddr).IP.To4() == nil {
		return plainConn{conn} // golang.org/x/net sends batches per family; this one is rare
	}
	c := &batchConn{
		plainConn: plainConn{conn}, batch: ipv4.NewPacketConn(conn), known: map[netip.AddrPort]*net.UDPAddr{},
		wake: mailbox.NewSignal(), done: make(chan struct{}),
		segments: segmentable(conn), open: map[*net.UDPAddr]int{},
	}
	c.room = sync.NewCond(&c.mu)
	go c.write()
	return c
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
	first := len(c.waiting) == 0
	c.waiting = append(c.waiting, outgoing{c.address(to), data})
	err := c.err
	c.err = nil
	c.mu.Unlock()
	if first {
		c.wake.Raise()
	}
	return len(b), err
}

func (c *batchConn) address(to netip.AddrPort) *net.UDPAddr {
	a := c.known[to]
	if a == nil {
		if len(c.known) >= mostKnown {
			clear(c.known)
		}
		a = net.UDPAddrFromAddrPort(to)
		c.known[to] = a
	}
	return a
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
	for range c.wake {
		time.Sleep(batchWait)
		c.mu.Lock()
		taken, c.waiting = c.waiting, taken[:0]
		closed := c.closed
		c.mu.Unlock()
		c.room.Broadcast()
		c.flush(taken)
		if closed {
			return
		}
	}
}

// flush sends a batch.
func (c *batchConn) flush(packets []outgoing) {
	used := c.group(packets)
	for rest := c.messages[:used]; len(rest) > 0; {
		n, err := c.batch.WriteBatch(rest[:min(len(rest), mostMessages)], 0)
		if err != nil {
			n = max(n, 0)
			c.failed(rest[n], err)
			n++
		}
		rest = rest[max(n, 1):]
	}
	for _, p := range packets {
		packetPool.Put(p.data)
	}
}

// failed deals with a message that could not be sent. What the network card
// cannot cut goes out packet by packet from now on. A packet to an address
// without a route is dropped, as UDP does.
func (c *batchConn) failed(m ipv4.Message, err error) {
	if len(m.Buffers) > 1 {
		c.segments = false
		for _, b := range m.Buffers {
			_, _ = c.UDPConn.WriteTo(b, m.Addr)
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && !errors.Is(err, net.ErrClosed) {
		c.err = err
	}
}

// group makes messages of packets and returns how many. Packets to one address
// stay in their order.
func (c *batchConn) group(packets []outgoing) (used int) {
	clear(c.open)
	for _, p := range packets {
		size := len(*p.data)
		if i, ok := c.open[p.to]; ok && c.fits(i, size) {
			m := &c.messages[i]
			m.Buffers = append(m.Buffers, *p.data)
			c.sizes[i] += size
			if len(m.Buffers) == 2 {
				m.OOB = segmentSize(m.OOB[:0], len(m.Buffers[0]))
			}
			if size < len(m.Buffers[0]) { // only the last one may be shorter
				delete(c.open, p.to)
			}
			continue
		}
		if used == len(c.messages) {
			c.messages = append(c.messages, ipv4.Message{})
			c.sizes = append(c.sizes, 0)
		}
		m := &c.messages[used]
		m.Buffers, m.OOB, m.Addr = append(m.Buffers[:0], *p.data), m.OOB[:0], p.to
		c.sizes[used] = size
		if c.segments {
			c.open[p.to] = used
		}
		used++
	}
	return used
}

func (c *batchConn) fits(i, size int) bool {
	m := &c.messages[i]
	return size <= len(m.Buffers[0]) && len(m.Buffers) < mostSegments && c.sizes[i]+size <= mostBytes
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
	c.wake.Raise()
	<-c.done
	return c.UDPConn.Close()
}
