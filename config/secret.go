package config

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
)

const hidden = "(hidden)"

// Secret is a text that must not reach a log, a terminal or an error. It prints
// and encodes as "(hidden)", or as "" if empty.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// Format hides the secret from every verb, including those that would print the
// bytes of a string.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue hides the secret from log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from JSON, TOML and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// URL is the address of a message queue, or a comma-separated list of them. A
// password in it is hidden whenever it is printed or encoded.
type URL string

// Reveal returns the address with its password.
func (u URL) Reveal() string { return string(u) }

func (u URL) String() string {
	if u == "" {
		return ""
	}
	parts := strings.Split(string(u), ",")
	for i, part := range parts {
		parts[i] = redact(part)
	}
	return strings.Join(parts, ",")
}

// Format hides the password from every verb.
func (u URL) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, u.String()) }

// LogValue hides the password from log/slog.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText hides the password from JSON, TOML and the like.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

func redact(part string) string {
	u, err := url.Parse(strings.TrimSpace(part))
	if err != nil || u.Opaque != "" {
		return hidden
	}
	if u.User == nil {
		return u.String()
	}
	// A NATS user without a password is a token, which is a secret too.
	if _, password := u.User.Password(); !password {
		u.User = url.User("xxxxx")
	}
	return u.Redacted()
}
