package rtc

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

const (
	// When a silent client counts as disconnected, and when its session ends.
	// Clients are moved by signalling, never by these.
	disconnectedTime = 5 * time.Second
	failedTime       = 15 * time.Second
	keepAliveTime    = 2 * time.Second
	// tcpBuffer is how much may wait for a slow client over TCP, in bytes.
	tcpBuffer = 1 << 20
)

// ports are one for TCP, and the same for UDP at each address.
type ports struct {
	host   string
	number int
	ips    []net.IP
	accept net.Listener
	udp    []*net.UDPConn
}

// openPorts opens the ports of an address, which may be that of all interfaces.
func openPorts(address string) (*ports, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("it must be host:port, not %q: %w", address, err)
	}
	at, err := net.ResolveIPAddr("ip", host)
	if err != nil || at.IP == nil {
		return nil, fmt.Errorf("it must begin with an IP address, or a name that has one, not %q", host)
	}
	p := &ports{host: host}
	if p.ips, err = addresses(at.IP); err != nil {
		return nil, err
	}
	if p.accept, err = net.Listen("tcp", net.JoinHostPort(at.String(), port)); err != nil {
		return nil, err
	}
	p.number = p.accept.Addr().(*net.TCPAddr).Port
	for _, ip := range p.ips {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: p.number})
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		p.udp = append(p.udp, conn)
	}
	return p, nil
}

func (p *ports) close() error {
	errs := []error{ignoreClosed(p.accept.Close())}
	for _, c := range p.udp {
		errs = append(errs, ignoreClosed(c.Close()))
	}
	return errors.Join(errs...)
}

// network is the two ports of a server.
type network struct {
	addr   string
	public string
	ips    []net.IP
	udp    ice.UDPMux
	tcp    ice.TCPMux
	conns  []net.PacketConn
	accept net.Listener
}

// listen opens one port for UDP and the same for TCP. Relays reach them, too, if
// there are any.
func listen(address, public string, r *relays) (*network, error) {
	p, err := openPorts(address)
	if err != nil {
		return nil, fmt.Errorf("rtc: the address for media: %w", err)
	}
	n := &network{public: public, ips: p.ips, accept: p.accept, addr: net.JoinHostPort(p.host, strconv.Itoa(p.number))}
	var muxes []ice.UDPMux
	for i, udp := range p.udp {
		conn := newBatchConn(udp)
		if r != nil {
			conn = r.attach(conn, cmp.Or(public, p.ips[i].String()))
		}
		n.conns = append(n.conns, conn)
		muxes = append(muxes, ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: conn}))
	}
	n.udp = muxes[0]
	if len(muxes) > 1 {
		n.udp = ice.NewMultiUDPMuxDefault(muxes...)
	}
	n.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{Listener: n.accept, ReadBufferSize: 64, WriteBufferSize: tcpBuffer})
	return n, nil
}

// socketBuffer is what the kernel may hold of a burst, in bytes: a key frame
// for many subscribers at once.
const socketBuffer = 4 << 20

// addresses are those of the interfaces where the server listens at all of
// them, else the one.
func addresses(ip net.IP) ([]net.IP, error) {
	if !ip.IsUnspecified() {
		return []net.IP{ip}, nil
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("rtc: addresses of this machine: %w", err)
	}
	var out []net.IP
	for _, a := range all {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.IsLinkLocalUnicast() || ip.To4() != nil && n.IP.To4() == nil {
			continue
		}
		out = append(out, n.IP)
	}
	if len(out) == 0 {
		return nil, errors.New("rtc: this machine has no address at which to listen for media")
	}
	return out, nil
}

// settings are those of connections of clients: our two ports and nothing else.
func (n *network) settings() (webrtc.SettingEngine, error) {
	s := n.clientSettings()
	s.SetICEUDPMux(n.udp)
	s.SetICETCPMux(n.tcp)
	s.DisableActiveTCP(true)
	s.SetNetworkTypes([]webrtc.NetworkType{
		webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6,
	})
	if n.public == "" {
		return s, nil
	}
	return s, s.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
		External: []string{n.public}, AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteReplace,
	})
}

// clientSettings are those of connections on which we are the client of another
// SFU: they have ports of their own.
func (n *network) clientSettings() webrtc.SettingEngine {
	var s webrtc.SettingEngine
	s.DisableMediaEngineCopy(true) // see codecs.go
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(n.has)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	s.SetICETimeouts(disconnectedTime, failedTime, keepAliveTime)
	// GCM costs a third of AES-CM with SHA-1 on processors of today.
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	return s
}

// has reports whether an address is one at which we listen.
func (n *network) has(ip net.IP) bool {
	return slices.ContainsFunc(n.ips, func(ours net.IP) bool { return ours.Equal(ip) })
}

func (n *network) close() error {
	var errs []error
	if n.udp != nil {
		errs = append(errs, n.udp.Close())
	}
	if n.tcp != nil {
		errs = append(errs, n.tcp.Close())
	}
	for _, c := range n.conns {
		errs = append(errs, ignoreClosed(c.Close()))
	}
	errs = append(errs, ignoreClosed(n.accept.Close()))
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
