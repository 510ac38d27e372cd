package bus

import (
	"net/url"
	"strings"
)

// unreadable replaces URLs that cannot be parsed: any part may be a password.
const unreadable = "(unreadable URL)"

// Redacted returns the URLs of Options.URL for logs: passwords are xxxxx, and
// so is a user without one, which is a token in NATS. A query and a fragment
// are left out. If any of the URLs cannot be parsed, or seems to contain
// a password that is not percent-encoded, none is shown.
func Redacted(rawURLs string) string {
	parts := strings.Split(rawURLs, ",")
	for i, raw := range parts {
		shown, ok := redactOne(strings.TrimSpace(raw))
		if !ok {
			return unreadable
		}
		parts[i] = shown
	}
	return strings.Join(parts, ",")
}

func redactOne(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") {
		return "", false
	}
	u.RawQuery, u.Fragment, u.RawFragment, u.ForceQuery = "", "", "", false
	if u.User == nil {
		return u.String(), true
	}
	if _, ok := u.User.Password(); !ok {
		u.User = url.User("xxxxx")
	}
	return u.Redacted(), true
}
