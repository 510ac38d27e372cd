package raft

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
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
		// The minute, not the second: the text must not differ at each attempt.
		return fmt.Sprintf("%s is valid from %s to %s only, and it is %s", whose,
			day(invalid.Cert.NotBefore), day(invalid.Cert.NotAfter), day(time.Now().Truncate(time.Minute)))
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
	mu     sync.Mutex
	logged map[string]refusalNote
}

// refusalNote is what was logged about a peer since a time.
type refusalNote struct {
	since   time.Time
	reasons []string
}

const (
	// repeatAfter is when the same line is logged again for the same peer.
	repeatAfter = time.Minute
	// maxReasons bounds the lines for a peer in that time: it may choose a part of
	// their text, such as the names in its certificate.
	maxReasons = 4
	// maxRefused is how many peers are remembered; one more clears the memory.
	maxRefused = 1024
)

// isNew reports whether a line for the peer is to be logged: it was not within
// repeatAfter, and neither were maxReasons others.
func (r *refusals) isNew(who, why string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	note := r.logged[who]
	if now.Sub(note.since) >= repeatAfter {
		note = refusalNote{since: now}
	}
	if len(note.reasons) >= maxReasons || slices.Contains(note.reasons, why) {
		return false
	}
	if r.logged == nil || len(r.logged) >= maxRefused {
		r.logged = map[string]refusalNote{}
	}
	note.reasons = append(note.reasons, why)
	r.logged[who] = note
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
