package rtc

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is one in files, which are read again when they change.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu   sync.Mutex
	pair *tls.Certificate
	read [2]version
}

// version is that of a file.
type version struct {
	modified time.Time
	size     int64
}

func newCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	if certFile == "" || keyFile == "" {
		return nil, errors.New("TLS needs a certificate and its key: --turn-cert and --turn-key")
	}
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.load(c.versions()); err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", certFile, keyFile, err)
	}
	return c, nil
}

// load reads the files, which are of these versions.
func (c *certificate) load(now [2]version) error {
	c.read = now
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err == nil {
		c.pair = &pair
	}
	return err
}

func (c *certificate) versions() (out [2]version) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			out[i] = version{info.ModTime(), info.Size()}
		}
	}
	return out
}

// get is for tls.Config.GetCertificate. While the files cannot be used, as between
// the change of one and that of the other, the certificate before goes on.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.versions(); now != c.read {
		if err := c.load(now); err != nil {
			c.log.Warn("TURN: the new certificate cannot be used: the one before goes on", "err", err)
			return c.pair, nil
		}
		c.log.Info("TURN: certificate read again", "file", c.certFile)
	}
	return c.pair, nil
}

// serverTLS is what the server offers.
func (c *certificate) serverTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}
