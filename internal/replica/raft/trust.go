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

// authFailure says in an operator's words why two managers could not make sure of
// each other. It is empty for all that time may heal, such as a manager that is
// not there.
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
	case errors.Is(err, errStranger), errors.Is(err, errMalformed):
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

// nameOf is what a certificate says of its owner.
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

// refusals remember what was said of whom, so that one who tries again and
// again does not fill the log.
type refusals struct {
	mu   sync.Mutex
	last map[string]refusalNote
}

type refusalNote struct {
	why string
	at  time.Time
}

const (
	// sayAgain is when the same is said again of the same one.
	sayAgain = time.Minute
	// maxRefused is how many are remembered; more than that begin anew.
	maxRefused = 1024
)

// news tells whether this was not said of who lately.
func (r *refusals) news(who, why string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.last[who]; ok && last.why == why && now.Sub(last.at) < sayAgain {
		return false
	}
	if r.last == nil || len(r.last) >= maxRefused {
		r.last = map[string]refusalNote{}
	}
	r.last[who] = refusalNote{why, now}
	return true
}

// hostOf is an address without its port, which changes with every connection.
func hostOf(addr net.Addr) string {
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	return host
}
