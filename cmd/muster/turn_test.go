package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/muster-fleet/muster/internal/room"
)

// selfSigned writes a certificate for 127.0.0.1 that no browser knows.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: encoded}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// Browsers whose media go over TURN only see each other, over each way; and again
// when the SFU, whose TURN it is, dies.
func TestBrowsersOverTURN(t *testing.T) {
	c, links := beginRooms(t)
	cert, key := selfSigned(t)
	begin(t, append([]string{"agent", "--purpose", room.PurposeSFU, "--id", secondSFU, "--load", "memory", "--max-load", "1", "--max-nodes", "1",
		"--per", "room", "--reuse", "--prerun", "1", "--notify", "--url", c.url, "--dir", t.TempDir()}, "--", program, "sfu",
		"--turn", "127.0.0.1:0", "--turn-tls", "127.0.0.1:0", "--turn-cert", cert, "--turn-key", key)...)
	free(t, c.url, secondSFU)
	done(t, "drain", c.workers[room.PurposeSFU].id, "--url", c.url)
	b := startBrowser(t, chromedp.Flag("ignore-certificate-errors", true))
	for _, way := range []string{"udp", "tcp", "tls"} {
		t.Run(way, func(t *testing.T) {
			alice, bob := b.open("alice", links[0]+"&relay="+way, 1100, 700), b.open("bob", links[1]+"&relay="+way, 390, 760)
			a, o := join(alice), join(bob)
			keepsMovingFrom := func() {
				t.Helper()
				alice.await(seen(o, 10))
				bob.await(seen(a, 10))
				keepsMoving(alice, o)
				keepsMoving(bob, a)
				for _, p := range []*tab{alice, bob} {
					p.await(fmt.Sprintf(`musterRoom.paths().then((paths) => paths.length === 2 && paths.every((path) => path === "relay %s"))`, way))
				}
			}
			keepsMovingFrom()
			kill(t, nodePID(t, c.url, secondSFU))
			for _, p := range []*tab{alice, bob} {
				p.await(`musterRoom.moves === 1`)
			}
			keepsMovingFrom()
			alice.click("leave")
			bob.click("leave")
		})
	}
}
