package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
)

// ClientTLS returns how to prove the server's identity, and one's own. It is
// nil where [bus.tls] is empty: the URL then says whether there is TLS, with
// the system's authorities.
func (c *Config) ClientTLS() (*tls.Config, error) {
	if c.Bus.TLS == (TLS{}) {
		return nil, nil
	}
	authorities, err := c.authorities()
	if err != nil {
		return nil, err
	}
	certificates, err := c.certificates()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: c.Bus.TLS.ServerName,
		RootCAs: authorities, Certificates: certificates,
	}, nil
}

// ServerTLS returns what the embedded server shows its clients, and asks of
// them: with bus.tls.ca, a certificate of that authority. It is nil, for no
// TLS, where bus.tls.cert is empty.
func (c *Config) ServerTLS() (*tls.Config, error) {
	if c.Bus.TLS.Cert == "" {
		return nil, nil
	}
	authorities, err := c.authorities()
	if err != nil {
		return nil, err
	}
	certificates, err := c.certificates()
	if err != nil {
		return nil, err
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: certificates, ClientCAs: authorities}
	if authorities != nil {
		out.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return out, nil
}

// authorities returns nil for the system's.
func (c *Config) authorities() (*x509.CertPool, error) {
	if c.Bus.TLS.CA == "" {
		return nil, nil
	}
	pem, err := c.tlsFile("bus.tls.ca", c.Bus.TLS.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("bus.tls.ca (%s): %s holds no certificate in PEM", c.Origin("bus.tls.ca"), c.Bus.TLS.CA)
	}
	return pool, nil
}

func (c *Config) certificates() ([]tls.Certificate, error) {
	if c.Bus.TLS.Cert == "" {
		return nil, nil
	}
	cert, err := c.tlsFile("bus.tls.cert", c.Bus.TLS.Cert)
	if err != nil {
		return nil, err
	}
	key, err := c.tlsFile("bus.tls.key", c.Bus.TLS.Key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("bus.tls.cert (%s) and bus.tls.key (%s): %s and %s: %w",
			c.Origin("bus.tls.cert"), c.Origin("bus.tls.key"), c.Bus.TLS.Cert, c.Bus.TLS.Key, err)
	}
	return []tls.Certificate{pair}, nil
}

func (c *Config) tlsFile(key, name string) ([]byte, error) {
	origin := c.Origin(key)
	if origin.Source == FromFile && !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(c.file), name)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s (%s): %w", key, origin, err)
	}
	return data, nil
}
