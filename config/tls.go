package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
)

// ClientTLS returns the TLS configuration of clients of the queue. It is nil if
// [bus.tls] is empty: the URL then decides whether to use TLS, with the system's
// authorities.
func (c *Config) ClientTLS() (*tls.Config, error) {
	if c.Bus.TLS == (TLS{}) {
		return nil, nil
	}
	return c.readTLS("bus.tls", c.Bus.TLS, tls.NoClientCert)
}

// ServerTLS returns the TLS configuration of the embedded server. With bus.tls.ca
// it requires of clients a certificate of that authority. It is nil, for no TLS,
// if bus.tls.cert is empty.
func (c *Config) ServerTLS() (*tls.Config, error) {
	if c.Bus.TLS.Cert == "" {
		return nil, nil
	}
	return c.readTLS("bus.tls", c.Bus.TLS, tls.RequireAndVerifyClientCert)
}

// RoutesTLS returns the TLS configuration by which the embedded servers of
// [bus.cluster] authenticate each other. It is nil unless [bus.tls] has ca, cert
// and key.
func (c *Config) RoutesTLS() (*tls.Config, error) {
	if !c.routesTLS() {
		return nil, nil
	}
	return c.ServerTLS()
}

// RaftTLS returns the TLS configuration by which managers authenticate each other:
// each presents a certificate, and requires one. It is nil if [raft.tls] is empty.
func (c *Config) RaftTLS() (*tls.Config, error) {
	if c.Raft.TLS == (TLS{}) {
		return nil, nil
	}
	out, err := c.readTLS("raft.tls", c.Raft.TLS, tls.NoClientCert)
	if err != nil {
		return nil, err
	}
	out.MinVersion, out.ClientAuth = tls.VersionTLS13, tls.RequireAndVerifyClientCert
	return out, nil
}

// HTTPTLS returns the TLS configuration of the page and the API. With http.tls.ca a
// client may show a certificate, and need not. It is nil, for no TLS, if
// http.tls.cert is empty.
func (c *Config) HTTPTLS() (*tls.Config, error) {
	if c.HTTP.TLS.Cert == "" {
		return nil, nil
	}
	return c.readTLS("http.tls", c.HTTP.TLS, tls.VerifyClientCertIfGiven)
}

// readTLS reads the files of a section. withCA is what a server asks of its
// clients if the section has authorities.
func (c *Config) readTLS(section string, t TLS, withCA tls.ClientAuthType) (*tls.Config, error) {
	authorities, err := c.authorities(section, t)
	if err != nil {
		return nil, err
	}
	certificates, err := c.certificates(section, t)
	if err != nil {
		return nil, err
	}
	out := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: t.ServerName, Certificates: certificates,
		RootCAs: authorities, ClientCAs: authorities,
	}
	if authorities != nil {
		out.ClientAuth = withCA
	}
	return out, nil
}

// CascadingTLS returns the TLS configuration for connecting to the cloud. It is
// nil for the system's authorities.
func (c *Config) CascadingTLS() (*tls.Config, error) {
	authorities, err := c.authorities("cascading", TLS{CA: c.Cascading.CA})
	if err != nil || authorities == nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities}, nil
}

// authorities returns nil for the system's.
func (c *Config) authorities(section string, t TLS) (*x509.CertPool, error) {
	if t.CA == "" {
		return nil, nil
	}
	key := section + ".ca"
	pem, err := c.tlsFile(key, t.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s (%s): %s holds no certificate in PEM", key, c.Origin(key), t.CA)
	}
	return pool, nil
}

func (c *Config) certificates(section string, t TLS) ([]tls.Certificate, error) {
	if t.Cert == "" {
		return nil, nil
	}
	cert, err := c.tlsFile(section+".cert", t.Cert)
	if err != nil {
		return nil, err
	}
	key, err := c.tlsFile(section+".key", t.Key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s.cert (%s) and %s.key (%s): %s and %s: %w", section,
			c.Origin(section+".cert"), section, c.Origin(section+".key"), t.Cert, t.Key, err)
	}
	return []tls.Certificate{pair}, nil
}

func (c *Config) tlsFile(key, name string) ([]byte, error) {
	data, err := os.ReadFile(c.filePath(key, name))
	if err != nil {
		return nil, fmt.Errorf("%s (%s): %w", key, c.Origin(key), err)
	}
	return data, nil
}

// filePath returns the path of the file that a key names, "" where it names none.
func (c *Config) filePath(key, name string) string {
	if name != "" && c.Origin(key).Source == FromFile && !filepath.IsAbs(name) {
		return filepath.Join(filepath.Dir(c.file), name)
	}
	return name
}
