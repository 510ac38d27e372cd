package raft

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// shake has two managers make sure of each other over a pipe, which tap may
// look at and change; the connection is then closed.
func shake(a, b *handshake, to string, tap func(fromDialer bool, data []byte) []byte) (dialed, accepted *session, errs [2]error) {
	left, right := net.Pipe()
	if tap != nil {
		var mid1, mid2 net.Conn
		left, mid1 = net.Pipe()
		mid2, right = net.Pipe()
		var pumps sync.WaitGroup
		defer pumps.Wait()
		defer left.Close()
		defer right.Close()
		pumps.Go(func() { pump(mid1, mid2, func(d []byte) []byte { return tap(true, d) }) })
		pumps.Go(func() { pump(mid2, mid1, func(d []byte) []byte { return tap(false, d) }) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if accepted, errs[1] = b.accept(right, 77); errs[1] != nil {
			right.Close()
		}
	}()
	if dialed, errs[0] = a.dial(left, to, kindMessages); errs[0] != nil {
		left.Close()
	}
	<-done
	return dialed, accepted, errs
}

func pump(from, to net.Conn, change func([]byte) []byte) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if _, err := to.Write(change(bytes.Clone(buf[:n]))); err != nil {
			return
		}
	}
}

func manager1() *handshake { return &handshake{cluster: "c", addr: "a:1", secret: testSecret} }
func manager2() *handshake { return &handshake{cluster: "c", addr: "b:1", secret: testSecret} }

func TestHandshake(t *testing.T) {
	s1, s2, errs := shake(manager1(), manager2(), "b:1", nil)
	if errs[0] != nil || errs[1] != nil {
		t.Fatal(errs)
	}
	if s1.id != 77 || s2.peer != "a:1" || s2.kind != kindMessages {
		t.Errorf("%+v %+v", s1, s2)
	}
	defer s1.conn.Close()
	defer s2.conn.Close()
	for _, text := range []string{"one", "", "three"} {
		frame := s1.out.appendFrame(nil, []byte(text))
		if bytes.Contains(frame, []byte("one")) {
			t.Error("a frame can be read by others")
		}
		got, err := readFrame(bufio.NewReader(bytes.NewReader(frame)), maxFrame)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := s2.in.open(got); err != nil || string(body) != text {
			t.Errorf("got %q, %v", body, err)
		}
	}
	frame := s1.out.appendFrame(nil, []byte("again"))[frameHead:]
	if _, err := s2.in.open(bytes.Clone(frame)); err != nil {
		t.Fatal(err)
	}
	if _, err := s2.in.open(bytes.Clone(frame)); err == nil {
		t.Error("a frame was taken twice")
	}
}

func TestStrangersAreRefused(t *testing.T) {
	change := func(f func(*handshake)) *handshake {
		h := manager1()
		f(h)
		return h
	}
	for what, stranger := range map[string]*handshake{
		"another secret":  change(func(h *handshake) { h.secret = []byte("another secret of the same kind") }),
		"no secret":       change(func(h *handshake) { h.secret = nil }),
		"another cluster": change(func(h *handshake) { h.cluster = "d" }),
	} {
		if _, _, errs := shake(stranger, manager2(), "b:1", nil); errs[0] == nil || errs[1] == nil {
			t.Errorf("dialer with %s: %v", what, errs)
		}
		if _, _, errs := shake(manager2(), stranger, "a:1", nil); errs[0] == nil {
			t.Errorf("acceptor with %s: %v", what, errs)
		}
	}
	if _, _, errs := shake(manager1(), manager2(), "c:1", nil); errs[0] == nil || errs[1] == nil {
		t.Errorf("meant for another manager: %v", errs)
	}
}

// TestManInTheMiddle changes each byte of the handshake.
func TestManInTheMiddle(t *testing.T) {
	for _, dialer := range []bool{true, false} {
		for at := 2; at < 250; at++ {
			seen, changed := 0, false
			_, _, errs := shake(manager1(), manager2(), "b:1", func(fromDialer bool, data []byte) []byte {
				if fromDialer != dialer {
					return data
				}
				// lengths are left alone: they only make an end wait for more
				if i := at - seen; i >= 2 && i < len(data) {
					data[i] ^= 1
					changed = true
				}
				seen += len(data)
				return data
			})
			if changed && errs[0] == nil && errs[1] == nil {
				t.Errorf("byte %d (of the dialer: %v) was changed without an error", at, dialer)
			}
		}
	}
}

// TestReflection gives a dialer its own words back.
func TestReflection(t *testing.T) {
	left, right := net.Pipe()
	go func() {
		defer right.Close()
		_, _ = io.Copy(right, right)
	}()
	if _, err := (&handshake{cluster: "c", addr: "a:1", secret: testSecret}).dial(left, "a:1", kindMessages); err == nil {
		t.Error("a manager took its own words for another manager's")
	}
	left.Close()
}

// TestStrangerGetsNowhere connects to a running manager and says all kinds of
// things; the managers go on.
func TestStrangerGetsNowhere(t *testing.T) {
	f := newFleet(t, 3, nil)
	f.join("w1")
	valid := (&intro{kind: kindMessages, cluster: "owt-cluster", from: f.addrs[1], to: f.addrs[0], nonce: newNonce()}).encode()
	block := func(b []byte) []byte {
		var out bytes.Buffer
		_ = writeBlock(&out, b)
		return out.Bytes()
	}
	for what, words := range map[string][]byte{
		"HTTP":        []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"zeros":       make([]byte, 10_000),
		"ones":        bytes.Repeat([]byte{0xff}, 10_000),
		"no proof":    append(block(valid), block(nil)...),
		"wrong proof": append(block(valid), block(make([]byte, 32))...),
		"a message":   append(block(valid), make([]byte, 4000)...),
	} {
		conn, err := net.Dial("tcp", f.addrs[0])
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(words)
		_ = conn.(*net.TCPConn).CloseWrite()
		answer, _ := io.ReadAll(conn)
		if len(answer) > 2+nonceSize {
			t.Errorf("%s: %d bytes of answer: more than a challenge", what, len(answer))
		}
		conn.Close()
	}
	f.schedule("t")
}

// authority makes certificates for managers on this machine.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	cert := a.sign(template)
	a.cert, a.key = cert.Leaf, cert.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

func (a *authority) sign(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, parentKey := a.cert, a.key
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) config() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	cert := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	})
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	f := newFleet(t, 3, func(o *Options) { o.TLS, o.Secret = ca.config(), nil })
	f.join("w1")
	f.schedule("t")
	f.equal()
	foreign := other.config()
	foreign.RootCAs = ca.config().RootCAs // it trusts the managers; they do not trust it
	bare := ca.config()
	bare.Certificates = nil
	for what, cfg := range map[string]*tls.Config{"a foreign certificate": foreign, "no certificate": bare, "no TLS": nil} {
		d := &dialer{handshake: &handshake{cluster: "owt-cluster", addr: f.addrs[1]}, tls: cfg}
		if _, err := d.dial(t.Context(), f.addrs[0], kindMessages); err == nil {
			t.Errorf("a manager with %s was accepted", what)
		}
	}
}

func FuzzFrame(f *testing.F) {
	var s seal
	m := Message{ClusterID: 1, raft: &pb.Message{Type: pb.MsgApp.Enum(), From: proto.Uint64(1), To: proto.Uint64(2), Entries: []*pb.Entry{{Index: proto.Uint64(1)}}}}
	h := Message{hello: &hello{id: 1, leader: "a:1"}}
	body, _, err := pack(nil, []Message{m, h})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.appendFrame(nil, body))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s seal
		r := bufio.NewReader(bytes.NewReader(data))
		for {
			frame, err := readFrame(r, 1<<20)
			if err != nil {
				return
			}
			body, err := s.open(frame)
			if err != nil {
				body = frame // look at it all the same
			}
			_ = splitMessages(body, func(m Message) {
				if m.raft == nil && m.hello == nil && m.join == nil && m.bootstrap == nil {
					t.Error("an empty message")
				}
			})
		}
	})
}

func FuzzIntro(f *testing.F) {
	f.Add((&intro{kind: 1, cluster: "c", from: "a", to: "b", nonce: newNonce()}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		if i, err := decodeIntro(data); err == nil && len(i.nonce) != nonceSize {
			t.Error("an introduction without a nonce")
		}
	})
}

// FuzzStep gives a Core whatever a manager may be sent.
func FuzzStep(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := decodeMessage(data); err == nil && !m.isSnapshot() {
			m.From = "m1"
			core, err := NewCore(testCore("m0"), nil)
			if err != nil {
				t.Fatal(err)
			}
			core.Step(m)
		}
	})
}

func TestSnapshotFramesAreBounded(t *testing.T) {
	head := []byte{0x7f, 0xff, 0xff, 0xff}
	if _, err := readFrame(bufio.NewReader(bytes.NewReader(head)), maxFrame); err == nil {
		t.Error("a frame of 2 GiB was taken")
	}
}
