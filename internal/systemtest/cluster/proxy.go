package cluster

import (
	"context"
	"net"
	"sync"
)

// proxy passes connections on, through the valves of those whose network they
// use.
type proxy struct {
	listener net.Listener
	target   func() string
	// valves finds those of a connection, by the first bytes that came on it.
	// It is false while they do not tell yet.
	valves func(first []byte) ([]*valve, bool)

	stop context.CancelFunc
	done sync.WaitGroup
}

// newProxy listens on a port that stays its own until it is closed. It accepts
// no connection before start, so that target and valves may depend on its address.
func newProxy(target func() string, valves func([]byte) ([]*valve, bool)) (*proxy, error) {
	return newProxyAt("127.0.0.1", target, valves)
}

// newProxyAt is newProxy at another address of this machine.
func newProxyAt(host string, target func() string, valves func([]byte) ([]*valve, bool)) (*proxy, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	return &proxy{listener: l, target: target, valves: valves, stop: func() {}}, nil
}

func (p *proxy) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	p.done.Go(func() { p.accept(ctx) })
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) close() {
	p.stop()
	_ = p.listener.Close()
	p.done.Wait()
}

func (p *proxy) accept(ctx context.Context) {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.done.Go(func() { p.carry(ctx, conn) })
	}
}

// maxFirst is how much of a connection is read in search of its valves.
const maxFirst = 8 << 10

// carry passes a connection on until one side of it ends, which ends the other
// one too.
func (p *proxy) carry(ctx context.Context, in net.Conn) {
	defer func() { _ = in.Close() }()
	defer context.AfterFunc(ctx, func() { _ = in.Close() })()
	first, valves, ok := p.begin(in)
	if !ok || !passAll(ctx, valves) {
		return
	}
	var dialer net.Dialer
	out, err := dialer.DialContext(ctx, "tcp", p.target())
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	defer context.AfterFunc(ctx, func() { _ = out.Close() })()
	if _, err := out.Write(first); err != nil {
		return
	}
	var ways sync.WaitGroup
	ways.Go(func() { pump(ctx, out, in, valves) })
	ways.Go(func() { pump(ctx, in, out, valves) })
	ways.Wait()
}

// begin reads until the first bytes tell whose connection it is.
func (p *proxy) begin(in net.Conn) (first []byte, valves []*valve, ok bool) {
	if valves, ok = p.valves(nil); ok {
		return nil, valves, true
	}
	buf := make([]byte, maxFirst)
	for n := 0; n < len(buf); {
		more, err := in.Read(buf[n:])
		if n += more; err != nil {
			return nil, nil, false
		}
		if valves, ok = p.valves(buf[:n]); ok {
			return buf[:n], valves, true
		}
	}
	return nil, nil, false
}

// pump passes one direction on. That it ended is something that passes, too.
func pump(ctx context.Context, to, from net.Conn, valves []*valve) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !passAll(ctx, valves) {
			break
		}
		if n > 0 {
			if _, failed := to.Write(buf[:n]); failed != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
}
