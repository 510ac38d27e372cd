package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority writes ca.pem, and node.pem with node.key, signed by it and issued to
// the name fleet.test.
func authority(t *testing.T, dir string) {
	t.Helper()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "own"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour)}
	node := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"fleet.test"}, NotAfter: ca.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	caKey, nodeKey := newKey(t), newKey(t)
	writePEM(t, dir, "ca.pem", "CERTIFICATE", sign(t, ca, ca, caKey, caKey))
	writePEM(t, dir, "node.pem", "CERTIFICATE", sign(t, node, ca, nodeKey, caKey))
	der, err := x509.MarshalECPrivateKey(nodeKey)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, dir, "node.key", "EC PRIVATE KEY", der)
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, cert, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, by, &key.PublicKey, byKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func writePEM(t *testing.T, dir, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Both ends with one configuration accept each other; a client without a
// certificate, and one that expects another name, are refused.
func TestTLSHandshake(t *testing.T) {
	dir := t.TempDir()
	authority(t, dir)
	const full = "[bus.tls]\nca = 'ca.pem'\ncert = 'node.pem'\nkey = 'node.key'\nserver_name = 'fleet.test'"
	server, err := inDir(t, dir, full).ServerTLS()
	if err != nil {
		t.Fatal(err)
	}
	for file, works := range map[string]bool{
		full: true,
		"[bus]\nurl = 'nats://h'\n[bus.tls]\nca = 'ca.pem'\nserver_name = 'fleet.test'":            false,
		"[bus.tls]\nserver_name = 'fleet.test'\ncert = 'node.pem'\nkey = 'node.key'":               false,
		"[bus.tls]\nca = 'ca.pem'\ncert = 'node.pem'\nkey = 'node.key'\nserver_name = 'else.test'": false,
	} {
		opts, err := inDir(t, dir, file).BusOptions()
		if err != nil {
			t.Fatal(err)
		}
		if err := handshake(t, server, opts.TLS); (err == nil) != works {
			t.Errorf("%s\nshakes hands: %v", file, err)
		}
	}
}

// Managers with one configuration accept each other; one without a certificate,
// and one of another authority, are refused.
func TestRaftTLSHandshake(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	authority(t, dir)
	authority(t, elsewhere)
	const full = "raft.addr = 'a:1'\n[raft.tls]\nca = 'ca.pem'\ncert = 'node.pem'\nkey = 'node.key'\nserver_name = 'fleet.test'"
	own, err := inDir(t, dir, full).RaftTLS()
	if err != nil {
		t.Fatal(err)
	}
	other, err := inDir(t, elsewhere, full).RaftTLS()
	if err != nil {
		t.Fatal(err)
	}
	bare := own.Clone()
	bare.Certificates = nil
	if err := handshake(t, own, own); err != nil {
		t.Error(err)
	}
	for what, stranger := range map[string]*tls.Config{"another authority": other, "no certificate": bare} {
		if err := handshake(t, own, stranger); err == nil {
			t.Errorf("a dialer with %s was accepted", what)
		}
	}
	if err := handshake(t, other, own); err == nil {
		t.Error("an acceptor of another authority was accepted")
	}
	if none, err := Default().RaftTLS(); none != nil || err != nil {
		t.Error(none, err)
	}
	_, err = inDir(t, dir, strings.Replace(full, "node.key", "none.key", 1)).RaftTLS()
	if err == nil || !strings.HasPrefix(err.Error(), "raft.tls.key (") {
		t.Error(err)
	}
}

func inDir(t *testing.T, dir, file string) *Config {
	t.Helper()
	c, err := Parse(filepath.Join(dir, "m.toml"), []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// handshake returns the error of either end.
func handshake(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	theirs := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			err = conn.(*tls.Conn).Handshake()
			conn.Close()
		}
		theirs <- err
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), client)
	if err == nil {
		defer conn.Close()
	}
	return errors.Join(err, <-theirs)
}

func TestTLSErrors(t *testing.T) {
	dir := t.TempDir()
	authority(t, dir)
	where := filepath.Join(dir, "m.toml")
	for file, want := range map[string]string{
		"bus.url = 'nats://h'\nbus.tls.ca = 'none.pem'":  "bus.tls.ca (" + where + ":2:1): open " + filepath.Join(dir, "none.pem") + ": no such file or directory",
		"bus.url = 'nats://h'\nbus.tls.ca = 'node.key'":  "bus.tls.ca (" + where + ":2:1): node.key holds no certificate in PEM",
		"[bus.tls]\ncert = 'node.pem'\nkey = 'none.key'": "bus.tls.key (" + where + ":3:1): open " + filepath.Join(dir, "none.key") + ": no such file or directory",
		"[bus.tls]\ncert = 'ca.pem'\nkey = 'node.key'": "bus.tls.cert (" + where + ":2:1) and bus.tls.key (" + where + ":3:1): ca.pem and node.key: " +
			"tls: private key does not match public key",
	} {
		_, err := inDir(t, dir, file).BusOptions()
		if err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", file, err, want)
		}
	}
	c, err := Load("", Flag{"--tls-ca", "bus.tls.ca", "none.pem"}, Flag{"--url", "bus.url", "nats://h"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.BusOptions(); err == nil || !strings.HasPrefix(err.Error(), "bus.tls.ca (flag --tls-ca): open none.pem: ") {
		t.Errorf("a flag's file starts from the working directory: %v", err)
	}
}

func TestWithoutTLS(t *testing.T) {
	server, err := Default().ServerTLS()
	if err != nil || server != nil {
		t.Error(server, err)
	}
	client, err := Default().ClientTLS()
	if err != nil || client != nil {
		t.Error(client, err)
	}
	c := parse(t, "[bus.tls]", "cert = 'x'", "key = 'y'")
	c.Bus.TLS.Key = ""
	if _, err := c.BusOptions(); err == nil || err.Error() != "m.toml:2:1: bus.tls.cert: needs bus.tls.key too" {
		t.Error(err)
	}
}
