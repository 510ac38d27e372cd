package raft

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-fleet/muster/internal/mailbox"
)

// diary is a log that can be waited for.
type diary struct {
	mu    sync.Mutex
	text  []byte
	wrote mailbox.Signal
}

func newDiary() *diary { return &diary{wrote: mailbox.NewSignal()} }

func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	d.text = append(d.text, p...)
	d.mu.Unlock()
	d.wrote.Raise()
	return len(p), nil
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.text)
}

func (d *diary) await(t *testing.T, pattern string) {
	t.Helper()
	wanted, limit := regexp.MustCompile(pattern), time.After(testTime)
	for !wanted.MatchString(d.String()) {
		select {
		case <-d.wrote:
		case <-limit:
			t.Fatalf("no line like %s in\n%s", pattern, d)
		}
	}
}

// expired is a certificate that was valid yesterday.
func (a *authority) expired() tls.Certificate {
	now := time.Now()
	return a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(3), NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(-24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	})
}

// Of two managers one has something wrong with its certificate, or its secret.
// Both say so, once, and name the other; neither belongs to a cluster.
func TestWhoIsNotTrustedIsInTheLog(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	late := ca.config()
	late.Certificates = []tls.Certificate{ca.expired()}
	named := ca.config()
	named.ServerName = "fleet.test"
	const trusted = "manager not trusted"
	for what, c := range map[string]struct {
		one, two      func(*Options)
		first, second string // what the one with the fault, and the other one, say of each other
		third         string
	}{
		"another authority": {
			one: func(o *Options) { o.TLS = other.config() }, two: func(o *Options) { o.TLS = ca.config() },
			first:  `manager not trusted" .*peer=PEER why="its certificate \(127.0.0.1\) is not of the authority in raft.tls.ca"`,
			second: `manager not trusted" .*peer=PEER why="its certificate \(127.0.0.1\) is not of the authority in raft.tls.ca"`,
		},
		"an expired certificate": {
			one: func(o *Options) { o.TLS = late }, two: func(o *Options) { o.TLS = ca.config() },
			first:  `manager not trusted" .*peer=PEER why="it refuses the certificate of this manager \(tls: expired certificate\)`,
			second: `manager not trusted" .*peer=PEER why="its certificate \(127.0.0.1\) is valid from \S+ to \S+ only, and it is `,
			third:  `connection refused" .*from=127.0.0.1:\d+ why="its certificate \(127.0.0.1\) is valid from `,
		},
		"another name": {
			one: func(o *Options) { o.TLS = named }, two: func(o *Options) { o.TLS = ca.config() },
			first: `manager not trusted" .*peer=PEER why="its certificate \(127.0.0.1\) is not made out to its address: set raft.tls.server_name"`,
		},
		"no TLS": {
			one: func(o *Options) { o.TLS = nil }, two: func(o *Options) { o.TLS = ca.config() },
			second: `connection refused" .*from=127.0.0.1:\d+ why="it does not speak TLS: set raft.tls on all managers, or on none"`,
		},
		"another secret": {
			one: func(o *Options) { o.Secret = []byte("another secret of the same kind") }, two: func(*Options) {},
			first:  `manager not trusted" .*peer=PEER why=".*has another secret`,
			second: `manager not trusted" .*peer=PEER why=".*has another secret`,
			third:  `connection refused" .*from=127.0.0.1:\d+ why=".*has another secret`,
		},
	} {
		t.Run(what, func(t *testing.T) {
			logs := [2]*diary{newDiary(), newDiary()}
			var listeners [2]net.Listener
			for i := range listeners {
				var err error
				if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
					t.Fatal(err)
				}
			}
			addrs := []string{listeners[0].Addr().String(), listeners[1].Addr().String()}
			var nodes [2]*Replica
			for i, change := range []func(*Options){c.one, c.two} {
				opts := DefaultOptions()
				opts.Addr, opts.Peers, opts.Secret, opts.Listener = addrs[i], addrs, testSecret, listeners[i]
				opts.Logger = slog.New(slog.NewTextHandler(logs[i], nil))
				change(&opts)
				var err error
				if nodes[i], err = Start(opts); err != nil {
					t.Fatal(err)
				}
				defer nodes[i].Close()
			}
			for i, pattern := range []string{c.first, c.second} {
				logs[i].await(t, regexp.MustCompile("PEER").ReplaceAllLiteralString(pattern, regexp.QuoteMeta(addrs[1-i])))
			}
			logs[1].await(t, c.third)
			for i, n := range nodes {
				if s, err := n.Status(t.Context()); err != nil || s.Leader != "" || len(s.Members) != 0 {
					t.Errorf("manager %d: %+v, %v", i, s, err)
				}
			}
			if n := len(regexp.MustCompile(trusted).FindAllString(logs[0].String(), -1)); n > 2 {
				t.Errorf("said %d times", n)
			}
		})
	}
}

func TestSaidOnceAMinute(t *testing.T) {
	var r refusals
	start := time.Now()
	for _, c := range []struct {
		who, why string
		after    time.Duration
		news     bool
	}{
		{"a", "x", 0, true},
		{"a", "x", 59 * time.Second, false},
		{"b", "x", 59 * time.Second, true},
		{"a", "y", 59 * time.Second, true},
		{"a", "y", 2 * time.Minute, true},
	} {
		if got := r.isNew(c.who, c.why, start.Add(c.after)); got != c.news {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// Peers that are refused twice a second for half a minute do not fill the log,
// whatever they are refused for.
func TestRefusalsDoNotFillTheLog(t *testing.T) {
	const attempts = 70
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	certificate := func(names ...string) *x509.Certificate {
		return &x509.Certificate{DNSNames: names, NotAfter: time.Unix(0, 0)}
	}
	rejected := func(c *x509.Certificate, why x509.InvalidReason) error {
		return &tls.CertificateVerificationError{UnverifiedCertificates: []*x509.Certificate{c}, Err: x509.CertificateInvalidError{Cert: c, Reason: why}}
	}
	expired := func(int, net.Conn) error { return rejected(certificate("old"), x509.Expired) }
	silent := func(_ int, conn net.Conn) error {
		_ = conn.SetDeadline(time.Unix(1, 0))
		_, err := conn.Read(make([]byte, 1))
		return err
	}
	for name, c := range map[string]struct {
		fault func(int, net.Conn) error
		most  int // lines
	}{
		"an expired certificate": {expired, 1},
		"silence":                {silent, 1}, // the error has the port of each connection
		"a name of its own each time": {func(i int, _ net.Conn) error {
			return rejected(certificate(fmt.Sprint("n", i)), x509.NotAuthorizedToSign)
		}, maxReasons},
		"two faults in turn": {func(i int, conn net.Conn) error {
			return []func(int, net.Conn) error{expired, silent}[i%2](i, conn)
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var conns []net.Conn
			for range attempts {
				out, err := net.Dial("tcp", server.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				in, err := server.Accept()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { out.Close(); in.Close() })
				conns = append(conns, in)
			}
			log := newDiary()
			synctest.Test(t, func(t *testing.T) {
				n := &Replica{log: slog.New(slog.NewTextHandler(log, nil))}
				l := &link{addr: "peer", log: n.log}
				for i, conn := range conns {
					err := c.fault(i, conn)
					n.refuse(conn, err)
					l.logFailure(err)
					time.Sleep(time.Second / 2)
				}
			})
			for _, line := range []string{"connection refused", "manager not trusted"} {
				got := strings.Count(log.String(), line)
				if got > c.most || got == 0 && line == "connection refused" {
					t.Errorf("%d attempts are logged as %q %d times, want %d at most:\n%.600s", attempts, line, got, c.most, log)
				}
			}
		})
	}
}

// What time may heal is no matter of trust.
func TestAbsenceIsNoDistrust(t *testing.T) {
	for _, err := range []error{context.DeadlineExceeded, &net.OpError{Op: "dial", Err: errors.New("connection refused")}} {
		if why := authFailure(err); why != "" {
			t.Errorf("%v: %s", err, why)
		}
	}
}

// Connections that say nothing do not keep a manager out that was away.
func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	f := newFleet(t, 3, nil)
	f.join("w1")
	lead := f.leader()
	for range 4 * maxHandshakes {
		conn, err := net.Dial("tcp", lead.opts.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	m := f.followers()[0]
	f.kill(m)
	f.start(m.opts.Addr, f.addrs)
	f.voters(3)
	f.equal()
}
