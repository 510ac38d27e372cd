package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certified writes ca.pem, and node.pem with node.key signed by it, made out to
// fleet.test, and returns the section [raft.tls] that names them.
func certified(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fleet"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour)}
	node := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"fleet.test"}, NotAfter: ca.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	var keys [2]*ecdsa.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, kind string, der []byte, err error) {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &keys[0].PublicKey, keys[0])
	write("ca.pem", "CERTIFICATE", der, err)
	der, err = x509.CreateCertificate(rand.Reader, node, ca, &keys[1].PublicKey, keys[0])
	write("node.pem", "CERTIFICATE", der, err)
	der, err = x509.MarshalECPrivateKey(keys[1])
	write("node.key", "EC PRIVATE KEY", der, err)
	return fmt.Sprintf("[raft.tls]\nca = '%s/ca.pem'\ncert = '%[1]s/node.pem'\nkey = '%[1]s/node.key'\nserver_name = 'fleet.test'\n", dir)
}

// Managers know each other by certificates alone, and listen elsewhere than
// where the others look for them; one of another authority gets nowhere, and it
// is said who and why.
func TestManagersByTLS(t *testing.T) {
	_, url := beginManager(t, "--listen", "127.0.0.1:0", "--cluster", "the-queue-only")
	addrs, err := freeAddrs(4)
	if err != nil {
		t.Fatal(err)
	}
	peers := strings.Join(addrs[:3], ",")
	ours := writeConfig(t, "[manager]\ninitial_time = 0\n"+certified(t))
	theirs := writeConfig(t, "[manager]\ninitial_time = 0\n"+certified(t))
	var first *started
	for _, addr := range addrs[:3] {
		_, port, _ := strings.Cut(addr, ":")
		p := begin(t, "manager", "-c", ours, "--url", url, "--raft", addr, "--raft-listen", "0.0.0.0:"+port, "--peers", peers)
		if first == nil {
			first = p
		}
	}
	c := &cohortTest{t: t, url: url, addrs: addrs}
	c.awaitVoters(addrs[:3]...)
	stranger := begin(t, "manager", "-c", theirs, "--url", url, "--raft", addrs[3], "--peers", peers)
	stranger.await(`msg="manager not trusted" .*peer=` + addrs[0] + ` why="its certificate \(fleet.test\) is not of the authority in raft.tls.ca"`)
	first.await(`msg="connection refused" .*from=127.0.0.1:`)
	got := refusedWith(t, 1, "managers", "add", addrs[3], "--url", url, "--timeout", "1s")
	contains(t, got.stderr, addrs[3]+" is let in, but does not vote yet")
	first.await(`msg="manager not trusted" .*peer=` + addrs[3] + ` why="its certificate \(fleet.test\) is not of the authority in raft.tls.ca"`)
	done(t, "managers", "remove", addrs[3], "--url", url)
	c.awaitVoters(addrs[:3]...)
}
