package raft

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"
)

// authFailure explains to operators why two managers could not authenticate each
// other. It is empty for faults that may pass, such as a manager that is down.
func authFailure(err error) string {
	var unverified *tls.CertificateVerificationError
	var alert *net.OpError
	switch {
	case errors.As(err, &unverified):
		return certificateFault(unverified)
	case errors.As(err, &alert) && alert.Op == "remote error":
		return fmt.Sprintf("it refuses the certificate of this manager (%v): see its log, and raft.tls.cert here", alert.Err)
	case errors.As(err, new(tls.RecordHeaderError)):
		return "it does not speak TLS: set raft.tls on all managers, or on none"
	case errors.Is(err, errUnauthenticated), errors.Is(err, errMalformed):
		return err.Error()
	}
	return ""
}

func certificateFault(err *tls.CertificateVerificationError) string {
	whose := "its certificate"
	if certs := err.UnverifiedCertificates; len(certs) > 0 {
		whose += " (" + nameOf(certs[0]) + ")"
	}
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return whose + " is not of the authority in raft.tls.ca"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return fmt.Sprintf("%s is valid from %s to %s only, and it is %s", whose,
			day(invalid.Cert.NotBefore), day(invalid.Cert.NotAfter), day(time.Now()))
	case errors.As(err, new(x509.HostnameError)):
		return whose + " is not made out to its address: set raft.tls.server_name"
	}
	return whose + " cannot be trusted: " + err.Err.Error()
}

func day(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// nameOf returns the names in a certificate.
func nameOf(c *x509.Certificate) string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return c.Subject.String()
	}
	return strings.Join(names, ", ")
}

// refusals remembers what was logged about which peer, so that repeated attempts
// do not fill the log.
type refusals struct {
	mu   sync.Mutex
	last map[string]refusalNote
}

type refusalNote struct {
	why string
	at  time.Time
}

const (
	// repeatAfter is when the same line is logged again for the same peer.
	repeatAfter = time.Minute
	// maxRefused is how many peers are remembered; one more clears the memory.
	maxRefused = 1024
)

// isNew reports whether this was not logged for the peer within repeatAfter.
func (r *refusals) isNew(who, why string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.last[who]; ok && last.why == why && now.Sub(last.at) < repeatAfter {
		return false
	}
	if r.last == nil || len(r.last) >= maxRefused {
		r.last = map[string]refusalNote{}
	}
	r.last[who] = refusalNote{why, now}
	return true
}

// hostOf returns an address without its port, which differs for each connection.
func hostOf(addr net.Addr) string {
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	return host
}
