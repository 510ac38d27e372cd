#!/bin/sh
# pion/turn 5.1.3, a server over TCP or TLS: (1) one error of Accept, as when the
# process has too many files open, ends its listener for good: later clients
# connect, and get no answer. (2) A TLS client whose handshake fails (here one that
# only speaks TLS 1.1) gets its alert, and the connection stays open. A listener of
# one's own mends both: it tries Accept again, and returns connections that are not
# *tls.Conn, so that their first read makes the handshake.
set -eu
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'MOD'
module finding
go 1.25
require github.com/pion/turn/v5 v5.1.3
MOD
cat >main.go <<'GO'
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/pion/turn/v5"
)

// once is a listener whose second Accept fails as with too many open files.
type once struct {
	net.Listener
	mu    sync.Mutex
	calls int
}

func (l *once) Accept() (net.Conn, error) {
	l.mu.Lock()
	l.calls++
	second := l.calls == 2
	l.mu.Unlock()
	if second {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

func serve(wrap func(net.Listener) net.Listener) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	_, err = turn.NewServer(turn.ServerConfig{ListenerConfigs: []turn.ListenerConfig{{
		Listener:              wrap(l),
		RelayAddressGenerator: &turn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"},
	}}})
	if err != nil {
		panic(err)
	}
	return l.Addr().String()
}

// answered reports whether a STUN request is answered.
func answered(at string) bool {
	c, err := net.Dial("tcp", at)
	if err != nil {
		return false
	}
	defer c.Close()
	_, _ = c.Write(append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, "transactions"...))
	_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
	_, err = c.Read(make([]byte, 200))
	return err == nil
}

func certificate() tls.Certificate {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func main() {
	at := serve(func(l net.Listener) net.Listener { return &once{Listener: l} })
	fmt.Println("answered before and after an error of Accept:", answered(at), answered(at))

	at = serve(func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate()}, MinVersion: tls.VersionTLS12})
	})
	c, err := net.Dial("tcp", at)
	if err != nil {
		panic(err)
	}
	failed := tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).Handshake()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err = c.Read(make([]byte, 1))
	fmt.Println("handshake failed, connection still open after 5 s:", failed != nil, errors.Is(err, os.ErrDeadlineExceeded))
}
GO
export GOFLAGS=-mod=mod
go mod tidy >/dev/null 2>&1
out=$(go run . 2>/dev/null)
echo "$out"
want='answered before and after an error of Accept: true false
handshake failed, connection still open after 5 s: true true'
[ "$out" = "$want" ] && echo "as seen before" || { echo "CHANGED"; exit 1; }
