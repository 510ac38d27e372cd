package config

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
)

// check looks at what several keys say together.
func (c *Config) check() Problems {
	var problems Problems
	problems = append(problems, c.checkPair("bus.tls.cert", c.Bus.TLS.Cert, "bus.tls.key", c.Bus.TLS.Key)...)
	problems = append(problems, c.checkPair("bus.tls.key", c.Bus.TLS.Key, "bus.tls.cert", c.Bus.TLS.Cert)...)
	problems = append(problems, c.checkEmbedded()...)
	problems = append(problems, c.checkRaft()...)
	return append(problems, c.checkPlain()...)
}

// checkEmbedded refuses a server that would speak in the clear to clients
// that are to speak TLS.
func (c *Config) checkEmbedded() Problems {
	if c.BusKind() != Embedded || c.Bus.TLS == (TLS{}) || c.Bus.TLS.Cert != "" || c.Bus.TLS.Key != "" {
		return nil
	}
	given := "bus.tls.ca"
	if c.Bus.TLS.CA == "" {
		given = "bus.tls.server_name"
	}
	return Problems{{Origin: c.Origin(given), Key: given,
		Message: "the embedded server needs bus.tls.cert and bus.tls.key too, or write bus.url to use another"}}
}

// checkRaft refuses managers that could not work together.
func (c *Config) checkRaft() Problems {
	var problems Problems
	wrong := func(key, message string) {
		problems = append(problems, Problem{Origin: c.Origin(key), Key: key, Message: message})
	}
	switch {
	case c.Manager.Replica == "raft" && c.Raft.Addr == "":
		wrong("manager.replica", "needs raft.addr too")
	case c.Manager.Replica == "owt" && c.Raft.Addr != "":
		wrong("manager.replica", "is owt, and raft.addr asks for Raft: leave one of them out")
	case c.Manager.Replica == "owt" && c.BusKind() == Embedded:
		wrong("manager.replica", "several managers need one message queue: set bus.url, or [rabbit]")
	}
	if c.Raft.Addr == "" {
		if c.Raft.Peers != "" {
			wrong("raft.peers", "needs raft.addr too")
		}
		if c.Raft.Data != "" {
			wrong("raft.data", "needs raft.addr too")
		}
		if c.Raft.Listen != "" {
			wrong("raft.listen", "needs raft.addr too")
		}
		return problems
	}
	problems = append(problems, c.checkRaftTLS()...)
	if c.Raft.others() {
		if c.Raft.Secret == "" && c.Raft.TLS == (TLS{}) && !c.Raft.Local() {
			wrong("raft.secret", "must be set where managers are on several machines: 16 bytes or more, here or in MUSTER_RAFT_SECRET; or set raft.tls")
		}
		if c.BusKind() == Embedded {
			wrong("raft.peers", "several managers need one message queue: set bus.url, or [rabbit]")
		}
	}
	return problems
}

// checkRaftTLS wants both ends of a connection between managers to show and to
// check a certificate.
func (c *Config) checkRaftTLS() Problems {
	t, given, missing := c.Raft.TLS, "", ""
	for _, f := range []struct{ key, file string }{
		{"raft.tls.ca", t.CA}, {"raft.tls.cert", t.Cert}, {"raft.tls.key", t.Key}, {"raft.tls.server_name", t.ServerName},
	} {
		switch {
		case f.file != "":
			given = f.key
		case missing == "" && f.key != "raft.tls.server_name":
			missing = f.key
		}
	}
	if given == "" || missing == "" {
		return nil
	}
	return Problems{{Origin: c.Origin(given), Key: given,
		Message: "needs " + missing + " too: managers prove themselves to each other, which takes ca, cert and key"}}
}

func (c *Config) checkPair(key, text, other, otherText string) Problems {
	if text == "" || otherText != "" {
		return nil
	}
	return Problems{{Origin: c.Origin(key), Key: key, Message: "needs " + other + " too"}}
}

// checkPlain refuses to send in the clear what was meant to go by TLS.
func (c *Config) checkPlain() Problems {
	if c.Bus.TLS == (TLS{}) || c.Bus.URL == "" || c.byRabbit() || !strings.Contains(strings.ToLower(c.Bus.URL.Reveal()), "amqp://") {
		return nil
	}
	return Problems{{Origin: c.Origin("bus.url"), Key: "bus.url",
		Message: "amqp:// is without TLS, and [bus.tls] asks for it: write amqps://"}}
}

// Warnings returns what is allowed and yet is probably not meant.
func (c *Config) Warnings() []string {
	var out []string
	for _, w := range slices.Concat(c.warnings, c.warnOfOWT(), c.warnOfBus(), c.warnOfPurposes()) {
		out = append(out, w.Error())
	}
	return out
}

func (c *Config) warnOfOWT() []Problem {
	var out []Problem
	if c.Cascading.Enabled {
		out = append(out, c.warning("cascading.enabled", "cascading is not offered: this cluster stays alone"))
	}
	if c.Manager.TotalNode > 1 {
		out = append(out, c.warning("manager.totalNode", "has no effect: each manager works alone"))
	}
	return out
}

func (c *Config) warnOfBus() []Problem {
	var out []Problem
	if c.byRabbit() && c.Bus.URL != "" {
		out = append(out, c.warning("bus.url", fmt.Sprintf("has no effect: the section [rabbit] in line %d goes first", c.rabbit.Line)))
	}
	host, _, _ := net.SplitHostPort(c.Bus.Listen)
	ip := net.ParseIP(host)
	local := host == "localhost" || (ip != nil && ip.IsLoopback())
	if c.BusKind() == Embedded && !local && c.Bus.Password == "" && (c.Bus.TLS.Cert == "" || c.Bus.TLS.CA == "") {
		out = append(out, c.warning("bus.listen", "is open to the network without a password: set bus.user and bus.password"))
	}
	return out
}

// otherPurposes are OWT's, save those that have a strategy by default.
var otherPurposes = []string{"quic", "mediabridge", "eventbridge"}

// warnOfPurposes finds purposes that look like another one misspelt. They may
// be real, and so are no error.
func (c *Config) warnOfPurposes() []Problem {
	known := append(slices.Sorted(maps.Keys(Default().Strategy.ByPurpose)), otherPurposes...)
	known = append(known, "general")
	var out []Problem
	for _, purpose := range c.madeUp("strategy") {
		if best := nearest(purpose, known); best != "" && !slices.Contains(known, purpose) {
			w := c.warning("strategy."+purpose, "is none of OWT's purposes")
			w.Nearest = best
			out = append(out, w)
		}
	}
	return out
}

func (c *Config) warning(key, message string) Problem {
	return Problem{Origin: c.Origin(key), Key: key, Message: message}
}
