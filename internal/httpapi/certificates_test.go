package httpapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/muster-fleet/muster/internal/httpapi"
)

// authority signs certificates for one test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, pool: x509.NewCertPool()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour)}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	must(t, err)
	a.cert, err = x509.ParseCertificate(der)
	must(t, err)
	a.pool.AddCert(a.cert)
	return a
}

// issue makes a certificate for servers and clients on this machine.
func (a *authority) issue(name string, dns ...string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: dns, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: a.cert.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	must(a.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A client certificate has the role of its name in the file, and none without.
func TestCertificates(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	path := filepath.Join(t.TempDir(), "tokens")
	text := ""
	for name, role := range map[string]httpapi.Role{"ann": httpapi.Viewer, "ops.example.org": httpapi.Operator} {
		line, err := httpapi.CertificateLine(name, role)
		must(t, err)
		text += line
	}
	token, line, err := httpapi.NewToken("boss", httpapi.Admin)
	must(t, err)
	must(t, os.WriteFile(path, []byte(text+line), 0o600))
	auth, err := httpapi.OpenAuth(path)
	must(t, err)
	c := startCluster(t, httpapi.Options{})
	s, err := httpapi.New(httpapi.Options{Cluster: c.client, Queue: c.conn, Name: "owt-cluster", Auth: auth})
	must(t, err)
	must(t, s.Start(c.ctx, httpapi.Listening{Addr: "127.0.0.1:0", TLS: &tls.Config{
		Certificates: []tls.Certificate{ours.issue("server")}, ClientCAs: ours.pool, ClientAuth: tls.VerifyClientCertIfGiven,
	}}))
	t.Cleanup(func() { must(t, s.Close()) })
	ask := func(method, path, token string, shown ...tls.Certificate) int {
		t.Helper()
		req, err := http.NewRequestWithContext(c.ctx, method, s.URL()+path, nil)
		must(t, err)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ours.pool, Certificates: shown}}
		defer transport.CloseIdleConnections()
		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			return 0
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	ann, ops := ours.issue("ann"), ours.issue("x", "other.example.org", "ops.example.org")
	for name, it := range map[string]struct {
		method, path, token string
		shown               []tls.Certificate
		status              int
	}{
		"no certificate":                  {"GET", "/v1/workers", "", nil, http.StatusUnauthorized},
		"a viewer reads":                  {"GET", "/v1/workers", "", []tls.Certificate{ann}, http.StatusOK},
		"a viewer changes":                {"PUT", "/v1/workers/none/cordon", "", []tls.Certificate{ann}, http.StatusForbidden},
		"a DNS name":                      {"PUT", "/v1/workers/none/cordon", "", []tls.Certificate{ops}, http.StatusNotFound},
		"a name that the file has not":    {"GET", "/v1/workers", "", []tls.Certificate{ours.issue("eve")}, http.StatusUnauthorized},
		"the name of a token":             {"GET", "/v1/workers", "", []tls.Certificate{ours.issue("boss")}, http.StatusUnauthorized},
		"of another authority":            {"GET", "/v1/workers", "", []tls.Certificate{theirs.issue("ann")}, 0},
		"a token":                         {"GET", "/debug/pprof/cmdline", token, nil, http.StatusOK},
		"a token goes before":             {"GET", "/debug/pprof/cmdline", token, []tls.Certificate{ann}, http.StatusOK},
		"an unknown token is no fallback": {"GET", "/v1/workers", "muster_00", []tls.Certificate{ann}, http.StatusUnauthorized},
	} {
		if status := ask(it.method, it.path, it.token, it.shown...); status != it.status {
			t.Errorf("%s: %d, want %d", name, status, it.status)
		}
	}
	must(t, os.WriteFile(path, []byte(line), 0o600))
	must(t, auth.Reload())
	if status := ask("GET", "/v1/workers", "", ann); status != http.StatusUnauthorized {
		t.Errorf("a certificate whose line is gone: %d", status)
	}
}
