package rtc_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"
	"github.com/pion/webrtc/v4"

	"github.com/muster-fleet/muster/internal/roomtoken"
	"github.com/muster-fleet/muster/internal/rtc"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// turnFixture is a server with TURN on all its ports.
type turnFixture struct {
	*rtc.Server
	key       roomtoken.Key
	cert, pem string
	said      *said
}

// said is what was logged.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), text)
}

// trusted is a certificate and its key that clients in this process trust, which
// read the file of authorities once.
var trusted = sync.OnceValue(func() (files [2][]byte) {
	dir, err := os.MkdirTemp("", "turn")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certify(cert, key, 1)
	_ = os.Setenv("SSL_CERT_FILE", cert)
	if _, err := x509.SystemCertPool(); err != nil { // this reads it
		panic(err)
	}
	for i, name := range []string{cert, key} {
		if files[i], err = os.ReadFile(name); err != nil {
			panic(err)
		}
	}
	return files
})

// certify writes a certificate that signs itself for 127.0.0.1.
func certify(certFile, keyFile string, serial int64) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			panic(err)
		}
	}
}

func startTURN(t *testing.T, limits rtc.Limits) *turnFixture {
	t.Helper()
	dir := t.TempDir()
	f := &turnFixture{cert: filepath.Join(dir, "cert.pem"), pem: filepath.Join(dir, "key.pem"), said: &said{}}
	var err error
	for i, name := range []string{f.cert, f.pem} {
		if err := os.WriteFile(name, trusted()[i], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if f.key, err = roomtoken.NewKey([]byte("a secret of sixteen bytes or more")); err != nil {
		t.Fatal(err)
	}
	f.Server = start(t, rtc.Options{
		Limits: limits, Logger: slog.New(slog.NewTextHandler(f.said, nil)),
		TURN: rtc.TURN{Listen: "127.0.0.1:0", TLS: "127.0.0.1:0", CertFile: f.cert, KeyFile: f.pem, Key: f.key},
	})
	return f
}

// url is that of a transport: "udp", "tcp" or "tls".
func (f *turnFixture) url(t *testing.T, transport string) string {
	t.Helper()
	urls := f.TURN()
	i := slices.Index([]string{"udp", "tcp", "tls"}, transport)
	if len(urls) != 3 || !strings.HasPrefix(urls[2], "turns:") {
		t.Fatalf("URLs: %q", urls)
	}
	return urls[i]
}

// address is the host and port of a URL.
func (f *turnFixture) address(t *testing.T, transport string) string {
	_, at, _ := strings.Cut(f.url(t, transport), ":")
	at, _, _ = strings.Cut(at, "?")
	return at
}

func (f *turnFixture) servers(t *testing.T, transport string) []webrtc.ICEServer {
	username, password := f.key.TURN("alice", time.Now().Add(time.Hour))
	return []webrtc.ICEServer{{URLs: []string{f.url(t, transport)}, Username: username, Credential: password}}
}

func TestOverTURN(t *testing.T) {
	f := startTURN(t, rtc.Limits{})
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			c := rtcload.Client{Relay: f.servers(t, transport), Feedback: true}
			p, err := c.Publish(within(t), f.Offer, "room", "a-"+transport, nil, camera)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			in := subscribe(t, f.Server, c, "b-"+transport, camera)
			send(t, p, camera)
			first := in.next(t, camera)
			for i := range 100 {
				if a := in.next(t, camera); a.SequenceNumber != first.SequenceNumber+uint16(i)+1 {
					t.Fatalf("number %d after %d", a.SequenceNumber, first.SequenceNumber+uint16(i))
				}
			}
			pair, err := in.Connection().SCTP().Transport().ICETransport().GetSelectedCandidatePair()
			if err != nil || pair.Local.Typ != webrtc.ICECandidateTypeRelay {
				t.Errorf("the pair is %v, %v; want one through a relay", pair, err)
			}
		})
	}
}

// Beside others over the network, a client over TURN leaves them their turn.
func TestTURNBesideUDP(t *testing.T) {
	f := startTURN(t, rtc.Limits{})
	relayed, direct := rtcload.Client{Relay: f.servers(t, "udp")}, rtcload.Client{}
	other := rtc.Track{ID: "bob.camera", Source: "camera"}
	p, err := relayed.Publish(within(t), f.Offer, "room", "a", nil, camera)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	q := publish(t, f.Server, "b", nil, other)
	send(t, p, camera)
	send(t, q, other)
	for name, c := range map[string]rtcload.Client{"c": relayed, "d": direct} {
		in := subscribe(t, f.Server, c, name, camera, other)
		for range 50 {
			in.next(t, camera)
			in.next(t, other)
		}
	}
}

// turnClient is a client of the protocol alone.
func turnClient(t *testing.T, f *turnFixture, transport, username, password string) *turn.Client {
	t.Helper()
	c, err := newTURNClient(t, f.address(t, transport), transport, username, password)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newTURNClient(t *testing.T, at, transport, username, password string) (*turn.Client, error) {
	var conn net.PacketConn
	switch transport {
	case "udp":
		l, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		conn = l
	case "tcp":
		c, err := net.Dial("tcp", at)
		if err != nil {
			return nil, err
		}
		conn = turn.NewSTUNConn(c)
	case "tls":
		c, err := tls.Dial("tcp", at, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			return nil, err
		}
		conn = turn.NewSTUNConn(c)
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	c, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: at, TURNServerAddr: at, Conn: conn, Username: username, Password: password, Realm: "muster", LoggerFactory: quiet,
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	t.Cleanup(func() { c.Close(); _ = conn.Close() })
	return c, c.Listen()
}

func TestTURNCredentialsAreChecked(t *testing.T) {
	f := startTURN(t, rtc.Limits{})
	other, _ := roomtoken.NewKey([]byte("the secret of another cluster"))
	expired, itsPassword := f.key.TURN("alice", time.Now().Add(-time.Second))
	good, goodPassword := f.key.TURN("alice", time.Now().Add(time.Hour))
	later, _ := f.key.TURN("alice", time.Now().Add(48*time.Hour))
	foreign, foreignPassword := other.TURN("alice", time.Now().Add(time.Hour))
	for _, transport := range []string{"udp", "tcp", "tls"} {
		for _, c := range []struct{ what, username, password, logged string }{
			{"expired", expired, itsPassword, `reason="they have expired" user=alice`},
			{"prolonged", later, goodPassword, `reason="the password is wrong" user=` + later},
			{"of another cluster", foreign, foreignPassword, `reason="the password is wrong"`},
			{"of another form", "alice", "password", "TURN: credentials refused"},
		} {
			if _, err := turnClient(t, f, transport, c.username, c.password).Allocate(); err == nil {
				t.Errorf("%s: credentials that are %s make a relay", transport, c.what)
			}
			if !f.said.has(c.logged) {
				t.Errorf("not logged: %s", c.logged)
			}
		}
		relay, err := turnClient(t, f, transport, good, goodPassword).Allocate()
		if err != nil {
			t.Fatalf("%s: good credentials: %v", transport, err)
		}
		if err := relay.Close(); err != nil {
			t.Error(err)
		}
	}
	if f.said.has(goodPassword) || f.said.has(foreignPassword) {
		t.Error("a password is in the log")
	}
}

// A relay reaches the server's port for media, and nothing else.
func TestTURNIsNoOpenRelay(t *testing.T) {
	f := startTURN(t, rtc.Limits{})
	victim, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = victim.Close() }()
	username, password := f.key.TURN("alice", time.Now().Add(time.Hour))
	c := turnClient(t, f, "udp", username, password)
	relay, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = relay.Close() }()
	for _, peer := range []string{"127.0.0.2:9", "192.0.0.8:1", "10.0.0.1:53", "8.8.8.8:53"} {
		at, _ := net.ResolveUDPAddr("udp", peer)
		if err := c.CreatePermission(at); err == nil {
			t.Errorf("a permission for %s is given", peer)
		}
		if _, err := relay.WriteTo([]byte("hello"), at); err == nil {
			t.Errorf("a packet for %s is taken", peer)
		}
	}
	// Another port of the same address: the protocol permits addresses.
	if _, err := relay.WriteTo([]byte("hello"), victim.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	before := f.Stats().Strayed
	waitFor(t, func() bool {
		_, _ = relay.WriteTo([]byte("hello"), victim.LocalAddr())
		return f.Stats().Strayed > before+3
	})
	_ = victim.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, from, err := victim.ReadFrom(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes reached another port, from %v", n, from)
	}
	if _, err := c.AllocateTCP(); err == nil {
		t.Error("a relay over TCP is made")
	}
}

func waitFor(t *testing.T, f func() bool) {
	t.Helper()
	for late := time.Now().Add(patience); !f(); runtime.Gosched() {
		if time.Now().After(late) {
			t.Fatal("it does not happen")
		}
	}
}

// A participant has so many relays and no more, all together have so many, and
// they are free again when their clients have gone.
func TestAFloodOfRelays(t *testing.T) {
	f := startTURN(t, rtc.Limits{Relays: 8, UserRelays: 5})
	flood := func(user, transport string, tries int) (made []net.PacketConn) {
		username, password := f.key.TURN(user, time.Now().Add(time.Hour))
		for range tries {
			c := turnClient(t, f, transport, username, password)
			if relay, err := c.Allocate(); err == nil {
				made = append(made, relay)
			}
		}
		return made
	}
	alice := flood("alice", "tcp", 10)
	if len(alice) != 5 || f.Stats().Relays != 5 {
		t.Errorf("alice has %d relays of %d; want 5", len(alice), f.Stats().Relays)
	}
	bob := flood("bob", "udp", 10)
	if len(bob) != 3 {
		t.Errorf("bob has %d relays; want the 3 that are left", len(bob))
	}
	if n := f.Stats().RelaysRefused; n < 12 {
		t.Errorf("%d were refused; want 12", n)
	}
	for _, relay := range slices.Concat(alice, bob) {
		if err := relay.Close(); err != nil {
			t.Error(err)
		}
	}
	waitFor(t, func() bool { return f.Stats().Relays == 0 })
}

// Connections that do nothing make room for others: a client comes in although
// thousands have come before, some in the middle of a handshake, some with
// something else than TLS.
func TestAFloodOfConnections(t *testing.T) {
	f := startTURN(t, rtc.Limits{})
	before := runtime.NumGoroutine()
	const flood = 600
	var conns []net.Conn
	for i := range 2 * flood {
		transport := []string{"tcp", "tls"}[i%2]
		c, err := net.Dial("tcp", f.address(t, transport))
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		if i%4 == 1 {
			_, _ = c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		}
	}
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	username, password := f.key.TURN("alice", time.Now().Add(time.Hour))
	for _, transport := range []string{"tcp", "tls"} {
		relay, err := turnClient(t, f, transport, username, password).Allocate()
		if err != nil {
			t.Fatalf("%s: %v", transport, err)
		}
		defer func() { _ = relay.Close() }()
	}
	t.Logf("%d connections: %d goroutines more", len(conns), runtime.NumGoroutine()-before)
	waitFor(t, func() bool { return runtime.NumGoroutine()-before < 600 })
}

// The certificate is read again when its files change; files that cannot be used
// change nothing.
func TestCertificateOfTURNChanges(t *testing.T) {
	f := startTURN(t, rtc.Limits{})
	serial := func() int64 {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		c, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", f.address(t, "tls"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return c.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("certificate %d", n)
	}
	if err := os.WriteFile(f.cert, []byte("half of a cert"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := serial(); n != 1 || !f.said.has("the one before goes on") {
		t.Errorf("certificate %d, with a file that is none", n)
	}
	certify(f.cert, f.pem, 2)
	if n := serial(); n != 2 {
		t.Errorf("certificate %d after the change", n)
	}
}

func TestTURNOptions(t *testing.T) {
	key, _ := roomtoken.NewKey([]byte("a secret of sixteen bytes or more"))
	for want, o := range map[string]rtc.Options{
		"--turn-cert": {TURN: rtc.TURN{TLS: "127.0.0.1:0", Key: key}},
		"--turn-host": {TURN: rtc.TURN{Listen: "0.0.0.0:0", Key: key}},
		"host:port":   {TURN: rtc.TURN{Listen: "nowhere", Key: key}},
		"no.pem":      {TURN: rtc.TURN{TLS: "127.0.0.1:0", CertFile: "no.pem", KeyFile: "no.pem", Key: key}},
	} {
		if s, err := rtc.Start(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want something of %q", o.TURN, err, want)
			if s != nil {
				_ = s.Close()
			}
		}
	}
	s := start(t, rtc.Options{Public: "192.0.2.7", TURN: rtc.TURN{Listen: "0.0.0.0:0", Host: "turn.example", Key: key}})
	for _, u := range s.TURN() {
		if !strings.HasPrefix(u, "turn:turn.example:") {
			t.Errorf("URL %s", u)
		}
	}
	if len(start(t, rtc.Options{}).TURN()) != 0 {
		t.Error("a server without TURN has URLs")
	}
}

// A client whose handshake fails gets its connection closed.
func TestHandshakeWithTURNFails(t *testing.T) {
	f := startTURN(t, rtc.Limits{})
	c, err := net.Dial("tcp", f.address(t, "tls"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).Handshake(); err == nil {
		t.Fatal("TLS 1.1 is spoken")
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection stays open")
	}
}
