package config

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/muster-fleet/muster/internal/nearest"
	"github.com/muster-fleet/muster/internal/purposes"
)

// check validates combinations of keys.
func (c *Config) check() Problems {
	problems := slices.Concat(c.checkPairs(), c.checkEmbedded(), c.checkCluster(), c.checkLogin(), c.checkUsers(), c.checkRaft())
	if c.Manager.EnableGRPC {
		problems = append(problems, c.problem("manager.enable_grpc", "Muster's managers are reached over the message queue only: remove it, here and in the files of the other OWT programs"))
	}
	return append(problems, c.checkPlain()...)
}

// problem is what is wrong with a key.
func (c *Config) problem(key, message string) Problem {
	return Problem{Origin: c.Origin(key), Key: key, Message: message}
}

// checkPairs refuses a file that is of no use without another one.
func (c *Config) checkPairs() (problems Problems) {
	queue, page := c.Bus.TLS, c.HTTP.TLS
	for _, p := range []struct{ key, file, needs, needed string }{
		{"bus.tls.cert", queue.Cert, "bus.tls.key", queue.Key},
		{"bus.tls.key", queue.Key, "bus.tls.cert", queue.Cert},
		{"http.tls.cert", page.Cert, "http.tls.key", page.Key},
		{"http.tls.key", page.Key, "http.tls.cert", page.Cert},
		{"http.tls.ca", page.CA, "http.tls.cert", page.Cert},
		{"raft.peers", c.Raft.Peers, "raft.addr", c.Raft.Addr},
		{"raft.data", c.Raft.Data, "raft.addr", c.Raft.Addr},
		{"raft.listen", c.Raft.Listen, "raft.addr", c.Raft.Addr},
	} {
		if p.file != "" && p.needed == "" {
			problems = append(problems, c.problem(p.key, "needs "+p.needs+" too"))
		}
	}
	return problems
}

// checkEmbedded refuses an embedded server without TLS when its clients are
// configured to use TLS.
func (c *Config) checkEmbedded() Problems {
	if c.BusKind() != Embedded || c.Bus.TLS == (TLS{}) || c.Bus.TLS.Cert != "" || c.Bus.TLS.Key != "" {
		return nil
	}
	given := "bus.tls.ca"
	if c.Bus.TLS.CA == "" {
		given = "bus.tls.server_name"
	}
	return Problems{c.problem(given, "the embedded server needs bus.tls.cert and bus.tls.key too, or write bus.url to use another")}
}

// checkCluster refuses embedded servers that could not form a cluster, or that
// anyone on the network could join.
func (c *Config) checkCluster() Problems {
	b := c.Bus.Cluster
	problem := func(key, message string) Problems { return Problems{c.problem(key, message)} }
	if b.Listen == "" {
		if b.Routes != "" {
			return problem("bus.cluster.routes", "needs bus.cluster.listen too")
		}
		return nil
	}
	host, _, err := net.SplitHostPort(b.Listen)
	switch {
	case err != nil:
		return problem("bus.cluster.listen", "must be host:port")
	case b.Name == "":
		return problem("bus.cluster.name", "must not be empty")
	case c.BusKind() != Embedded:
		return problem("bus.cluster.listen", "is for the embedded server, and the settings ask for "+string(c.BusKind()))
	case b.Password == "" && !c.routesTLS() && !isLocal(host):
		return problem("bus.cluster.password", "must be set where the servers are on several machines, here or in MUSTER_BUS_CLUSTER_PASSWORD; or set ca, cert and key of [bus.tls]")
	}
	for _, route := range b.RouteList() {
		if _, _, err := net.SplitHostPort(route); err != nil {
			return problem("bus.cluster.routes", fmt.Sprintf("%q must be host:port", route))
		}
	}
	return nil
}

// routesTLS reports whether the servers of a cluster authenticate by TLS.
func (c *Config) routesTLS() bool {
	t := c.Bus.TLS
	return t.CA != "" && t.Cert != "" && t.Key != ""
}

// checkLogin requires at most one kind of credentials, one that the queue
// supports.
func (c *Config) checkLogin() Problems {
	var given []string
	for _, k := range []struct{ key, value string }{
		{"bus.credentials", c.Bus.Credentials}, {"bus.creds", c.Bus.Creds}, {"bus.nkey", c.Bus.NKey}, {"bus.token", c.Bus.Token.Reveal()}, {"bus.user", c.Bus.User},
	} {
		if k.value != "" {
			given = append(given, k.key)
		}
	}
	if len(given) == 0 || given[0] == "bus.user" {
		return nil
	}
	problem := c.problem(given[0], "")
	switch kind := c.BusKind(); {
	case len(given) > 1:
		problem.Message = "and " + given[1] + " are two ways to get in: leave one out"
	case kind == RabbitMQ:
		problem.Message = "is for NATS: RabbitMQ asks for bus.user and bus.password"
	case kind == Embedded && given[0] != "bus.token" && given[0] != "bus.credentials":
		problem.Message = "is for a NATS server elsewhere: set bus.url"
	default:
		return nil
	}
	return Problems{problem}
}

// checkUsers refuses a file of users where the manager has no server of its own, or
// that has others beside it.
func (c *Config) checkUsers() Problems {
	if c.Bus.Users == "" {
		return nil
	}
	switch {
	case c.BusKind() != Embedded:
		return Problems{c.problem("bus.users", "is for the embedded server, and the settings ask for "+string(c.BusKind()))}
	case c.Bus.User != "" || c.Bus.Token != "":
		return Problems{c.problem("bus.users", "is instead of bus.user and bus.token: leave these out")}
	}
	return nil
}

func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// checkRaft refuses settings with which managers could not work together.
func (c *Config) checkRaft() Problems {
	var problems Problems
	wrong := func(key, message string) { problems = append(problems, c.problem(key, message)) }
	switch {
	case c.Manager.Replica == "raft" && c.Raft.Addr == "":
		wrong("manager.replica", "needs raft.addr too")
	case c.Manager.Replica == "owt" && c.Raft.Addr != "":
		wrong("manager.replica", "is owt, and raft.addr asks for Raft: leave one of them out")
	case c.Manager.Replica == "owt" && c.BusKind() == Embedded:
		wrong("manager.replica", "several managers need one message queue: set bus.url, or [rabbit]")
	}
	if c.Raft.Addr == "" {
		return problems
	}
	problems = append(problems, c.checkRaftTLS()...)
	if c.Raft.others() {
		if c.Raft.Secret == "" && c.Raft.TLS == (TLS{}) && !c.Raft.Local() {
			wrong("raft.secret", "must be set where managers are on several machines: 16 bytes or more, here or in MUSTER_RAFT_SECRET; or set raft.tls")
		}
		if c.BusKind() == Embedded && c.Bus.Cluster.Listen == "" {
			wrong("raft.peers", "several managers need one message queue: set bus.url, [rabbit], or bus.cluster.listen")
		}
	}
	return problems
}

// checkRaftTLS requires that both ends of a connection between managers present
// and verify a certificate.
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
	return Problems{c.problem(given, "needs "+missing+" too: managers prove themselves to each other, which takes ca, cert and key")}
}

// checkPlain refuses an unencrypted connection when TLS is configured.
func (c *Config) checkPlain() Problems {
	if c.Bus.TLS == (TLS{}) || c.Bus.URL == "" || c.byRabbit() || !strings.Contains(strings.ToLower(c.Bus.URL.Reveal()), "amqp://") {
		return nil
	}
	return Problems{c.problem("bus.url", "amqp:// is without TLS, and [bus.tls] asks for it: write amqps://")}
}

// Warnings returns what is valid but probably not intended.
func (c *Config) Warnings() []string {
	var out []string
	for _, w := range slices.Concat(c.warnings, c.warnOfOWT(), c.warnOfBus(), c.warnOfPurposes()) {
		out = append(out, w.Error())
	}
	return out
}

func (c *Config) warnOfOWT() []Problem {
	var out []Problem
	switch plain, ok := c.Cascading.cloud(); {
	case !c.Cascading.Enabled:
	case !ok:
		out = append(out, c.problem("cascading.url", "is no http:// or https:// URL: no cloud hears of this cluster"))
	case plain:
		out = append(out, c.problem("cascading.url", "is without TLS: the key of the REST interface, which OWT's management API registers, travels in the clear"))
	}
	if c.Manager.TotalNode > 1 {
		out = append(out, c.problem("manager.totalNode", "has no effect: each manager works alone"))
	}
	return out
}

func (c *Config) warnOfBus() []Problem {
	var out []Problem
	if c.byRabbit() && c.Bus.URL != "" {
		out = append(out, c.problem("bus.url", fmt.Sprintf("has no effect: the section [rabbit] in line %d goes first", c.rabbit.Line)))
	}
	host, _, _ := net.SplitHostPort(c.Bus.Listen)
	if c.BusKind() == Embedded && !isLocal(host) && c.Bus.Password == "" && c.Bus.Token == "" && c.Bus.Users == "" && (c.Bus.TLS.Cert == "" || c.Bus.TLS.CA == "") {
		out = append(out, c.problem("bus.listen", "is open to the network without a password: set bus.users, or bus.user and bus.password"))
	}
	return out
}

// warnOfPurposes finds purposes that look like a misspelt known one. They may be
// intended, so they are not errors.
func (c *Config) warnOfPurposes() []Problem {
	known := append(purposes.Names(), "general")
	var out []Problem
	for _, name := range c.madeUp("strategy") {
		if best := nearest.Word(name, known); best != "" && !slices.Contains(known, name) {
			w := c.problem("strategy."+name, "is none of OWT's purposes")
			w.Nearest = best
			out = append(out, w)
		}
	}
	return out
}
