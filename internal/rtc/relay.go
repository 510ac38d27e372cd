package rtc

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/turn/v5"
)

// A relay of TURN has no socket: its packets pass to the ports for media, and
// back, within the process. So it reaches nothing else, and nothing else reaches
// it. For ICE it needs an address all the same: one of these, which are never on
// a network (the IPv4 dummy address, RFC 7600; the discard prefix, RFC 6666).
var (
	relayIPv4 = netip.AddrFrom4([4]byte{192, 0, 0, 8})
	relayIPv6 = netip.MustParseAddr("100::8")
)

func isRelay(a netip.AddrPort) bool { return a.Addr() == relayIPv4 || a.Addr() == relayIPv6 }

const (
	// relayBacklog is how many packets wait for a client whose line is slow, or at
	// a port for the server. More are lost, as with a socket.
	relayBacklog = 1024
	// relayBurst is how many packets of relays come before one of the network, and
	// socketTurn how long that is waited for.
	relayBurst = 32
	socketTurn = 100 * time.Microsecond
	// mostPorts is how many relays can have an address of their own.
	mostPorts = 65535
)

// packetConn is a port for media.
type packetConn interface {
	net.PacketConn
	ice.AddrPortReaderWriter
}

// relays are those of a server.
type relays struct {
	most, mostOfUser int
	// ports are the server's, by the address that clients know.
	ports map[netip.AddrPort]*relayedConn

	mu     sync.Mutex
	last   uint16
	byPort map[uint16]*relay
	byUser map[string]int

	refused, strayed atomic.Uint64
}

func newRelays(most, mostOfUser int) *relays {
	return &relays{
		most: min(most, mostPorts), mostOfUser: mostOfUser,
		ports: map[netip.AddrPort]*relayedConn{}, byPort: map[uint16]*relay{}, byUser: map[string]int{},
	}
}

// attach lets relays reach a port, which clients know by that address.
func (r *relays) attach(conn packetConn, ip string) packetConn {
	known, err := netip.ParseAddr(ip)
	if err != nil {
		return conn // pion refuses it
	}
	at := netip.AddrPortFrom(known.Unmap(), uint16(conn.LocalAddr().(*net.UDPAddr).Port))
	c := &relayedConn{packetConn: conn, relays: r, known: at}
	r.ports[at] = c
	return c
}

// mayReach reports whether a peer is one of the server's addresses.
func (r *relays) mayReach(_ net.Addr, peer net.IP) bool {
	ip, _ := netip.AddrFromSlice(peer)
	for port := range r.ports {
		if port.Addr() == ip.Unmap() {
			return true
		}
	}
	r.strayed.Add(1)
	return false
}

// hasRoom reports whether a user may have one more relay.
func (r *relays) hasRoom(user, _ string, _ net.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byUser[user] < r.mostOfUser {
		return true
	}
	r.refused.Add(1)
	return false
}

func (r *relays) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.byPort)
}

var errRelayRefused = errors.New("rtc: TURN: the server has no such relays")

// Validate is turn.RelayAddressGenerator's.
func (r *relays) Validate() error { return nil }

// AllocateListener is refused: media over TURN is UDP behind it.
func (r *relays) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errRelayRefused
}

// AllocateConn is refused too.
func (r *relays) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) {
	return nil, errRelayRefused
}

// AllocatePacketConn makes a relay.
func (r *relays) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	if c.UserID == "" || c.RequestedPort != 0 {
		return nil, nil, errRelayRefused // nothing needs a certain port here
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.byPort) >= r.most || r.byUser[c.UserID] >= r.mostOfUser {
		r.refused.Add(1)
		return nil, nil, fmt.Errorf("rtc: TURN: %d relays, %d of them of the user: no more", len(r.byPort), r.byUser[c.UserID])
	}
	for r.last++; r.last == 0 || r.byPort[r.last] != nil; r.last++ {
	}
	ip := relayIPv4
	if c.Network == "udp6" {
		ip = relayIPv6
	}
	n := &relay{
		relays: r, user: c.UserID, addr: netip.AddrPortFrom(ip, r.last),
		arrived: make(chan datagram, relayBacklog), closed: make(chan struct{}),
	}
	r.byPort[r.last] = n
	r.byUser[c.UserID]++
	return n, n.LocalAddr(), nil
}

// deliver gives a packet of the server to a relay, if the address is one's.
func (r *relays) deliver(b []byte, from, to netip.AddrPort) (taken bool) {
	if !isRelay(to) {
		return false
	}
	r.mu.Lock()
	n := r.byPort[to.Port()]
	r.mu.Unlock()
	if n == nil {
		return true // the client has left
	}
	p := newDatagram(b, from)
	select {
	case n.arrived <- p:
	default:
		p.free()
	}
	return true
}

// datagram is one on its way between a relay and a port for media.
type datagram struct {
	from netip.AddrPort
	data *[]byte
}

func newDatagram(b []byte, from netip.AddrPort) datagram {
	data := packetPool.Get().(*[]byte)
	*data = append((*data)[:0], b...)
	return datagram{from, data}
}

func (p datagram) free() { packetPool.Put(p.data) }

// take copies the packet, whose data are free then.
func (p datagram) take(b []byte) int {
	defer p.free()
	return copy(b, *p.data)
}

// relay is that of a client: what the client sends to the server appears to come
// from its address.
type relay struct {
	relays  *relays
	user    string
	addr    netip.AddrPort
	arrived chan datagram
	closing sync.Once
	closed  chan struct{}
}

// ReadFrom returns what the server sends to the client.
func (n *relay) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case p := <-n.arrived:
		return p.take(b), net.UDPAddrFromAddrPort(p.from), nil
	case <-n.closed:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo gives the server what the client sends to it. What is for others is
// dropped: permissions are for addresses, and this is for one port.
func (n *relay) WriteTo(b []byte, peer net.Addr) (int, error) {
	to, ok := peer.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("rtc: TURN: a peer is at an address of UDP, not %v", peer)
	}
	at := to.AddrPort()
	port := n.relays.ports[netip.AddrPortFrom(at.Addr().Unmap(), at.Port())]
	if port == nil {
		n.relays.strayed.Add(1)
		return len(b), nil
	}
	port.arrive(newDatagram(b, n.addr))
	return len(b), nil
}

// Close frees the relay's address.
func (n *relay) Close() error {
	n.closing.Do(func() {
		close(n.closed)
		r := n.relays
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.byPort, n.addr.Port())
		if r.byUser[n.user]--; r.byUser[n.user] == 0 {
			delete(r.byUser, n.user)
		}
	})
	return nil
}

// LocalAddr is the address of the relay.
func (n *relay) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(n.addr) }

// SetDeadline does nothing: no read of a relay waits longer than the relay lasts.
func (n *relay) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (n *relay) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (n *relay) SetWriteDeadline(time.Time) error { return nil }

// relayedConn is a port for media to which relays give packets too. It has one
// reader, which waits for the network; a deadline that has passed wakes it.
type relayedConn struct {
	packetConn
	relays *relays
	// known is the address of the port as clients know it.
	known netip.AddrPort

	mu      sync.Mutex
	waiting []datagram
	woken   bool // there is a deadline
	burst   int
}

// arrive takes a packet of a relay.
func (c *relayedConn) arrive(p datagram) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) >= relayBacklog {
		p.free()
		return
	}
	c.waiting = append(c.waiting, p)
	if !c.woken {
		c.woken = true
		_ = c.SetReadDeadline(time.Unix(1, 0)) // a port that is closed has no reader
	}
}

// next takes a packet of a relay, unless it is the turn of the network.
func (c *relayedConn) next() (datagram, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case len(c.waiting) == 0:
		c.burst = 0
		if c.woken {
			c.woken = false
			_ = c.SetReadDeadline(time.Time{})
		}
		return datagram{}, false
	case c.burst == relayBurst:
		c.burst = 0
		_ = c.SetReadDeadline(time.Now().Add(socketTurn))
		return datagram{}, false
	}
	c.burst++
	p := c.waiting[0]
	c.waiting = c.waiting[1:]
	return p, true
}

// ReadFromAddrPort is ice.AddrPortReaderWriter's.
func (c *relayedConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		if p, ok := c.next(); ok {
			return p.take(b), p.from, nil
		}
		n, from, err := c.packetConn.ReadFromAddrPort(b)
		if !errors.Is(err, os.ErrDeadlineExceeded) && !isRelay(from) { // one from there on the network is not ours
			return n, from, err
		}
	}
}

// ReadFrom is net.PacketConn's.
func (c *relayedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	return n, net.UDPAddrFromAddrPort(from), err
}

// WriteToAddrPort is ice.AddrPortReaderWriter's.
func (c *relayedConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if c.relays.deliver(b, c.known, to) {
		return len(b), nil
	}
	return c.packetConn.WriteToAddrPort(b, to)
}

// WriteTo is net.PacketConn's.
func (c *relayedConn) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return c.packetConn.WriteTo(b, to)
	}
	return c.WriteToAddrPort(b, u.AddrPort())
}
