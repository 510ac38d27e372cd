package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/muster-fleet/muster/internal/nearest"
)

func knownSection(path []string) bool {
	return plain(path) && slices.Contains(sectionNames(), strings.Join(path, "."))
}

// knownKey reports whether a key is known. In [strategy] and [labels] users choose
// the names.
func knownKey(path []string) bool {
	if len(path) == 2 && (path[0] == "strategy" || path[0] == "labels") {
		return path[1] != ""
	}
	return plain(path) && slices.Contains(keyNames(), strings.Join(path, "."))
}

// plain reports whether no part contains a dot: bus."tls.ca" is not bus.tls.ca.
func plain(path []string) bool {
	return !slices.ContainsFunc(path, func(s string) bool { return strings.Contains(s, ".") })
}

func sectionNames() []string {
	names := make([]string, len(sections))
	for i, s := range sections {
		names[i] = s.name
	}
	return names
}

func keyNames() []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return names
}

// ownNames returns the names of the section's keys, without the section.
func ownNames(section string) []string {
	var names []string
	for _, k := range keys {
		if sectionOf(k.name) == section {
			names = append(names, ownName(k.name))
		}
	}
	return names
}

// unknownSection reports a section once, not each of its keys.
func (r *reader) unknownSection(path []string, at int) {
	name := "[" + strings.Join(path, ".") + "]"
	if _, reported := r.seen["unknown "+name]; reported {
		return
	}
	r.seen["unknown "+name] = r.origin(at)
	best := nearest.Word(strings.Join(path, "."), sectionNames())
	if best != "" {
		best = "[" + best + "]"
	}
	message := "unknown section"
	if best == "" {
		message += ": there are [" + strings.Join(sectionNames(), "], [") + "]"
	}
	r.report(at, name, message, best)
}

func (r *reader) unknownKey(path []string, at int, n *unstable.Node) {
	section := path[:len(path)-1]
	name := strings.Join(path, ".")
	switch {
	case oldKey(name) || oldSection(section):
		r.keepOld(name, at)
	case len(section) > 0 && section[0] == "cascading":
		r.keepCascading(name, at)
	case knownSection(path):
		r.report(at, name, "is a section: got "+string(valueOf(n).shape)+", write ["+name+"] and its keys below", "")
	case len(section) > 0 && !knownSection(section):
		r.unknownSection(section, at)
	case len(section) == 0 && n.Kind == unstable.InlineTable:
		r.unknownSection(path, at)
	default:
		r.report(at, spelt(path), "unknown key", nearestKey(section, path[len(path)-1]))
	}
}

// spelt quotes the parts that contain dots.
func spelt(path []string) string {
	parts := slices.Clone(path)
	for i, part := range parts {
		if strings.Contains(part, ".") {
			parts[i] = strconv.Quote(part)
		}
	}
	return strings.Join(parts, ".")
}

// keepCascading accepts what a file of another OWT version may have.
func (r *reader) keepCascading(name string, at int) {
	r.cfg.warnings = append(r.cfg.warnings, Problem{
		Origin: r.origin(at), Key: name, Message: "unknown key, without effect",
		Nearest: nearest.Word(ownName(name), ownNames("cascading")),
	})
}

// nearestKey searches the section first, then the others for the same word. A key
// outside any section may also be misspelt.
func nearestKey(section []string, own string) string {
	if best := nearest.Word(own, ownNames(strings.Join(section, "."))); best != "" {
		return best
	}
	for _, k := range keys {
		if strings.EqualFold(ownName(k.name), own) || strings.HasSuffix(k.name, "."+own) {
			return k.name
		}
	}
	for _, k := range keys {
		if len(section) == 0 && nearest.Word(own, []string{ownName(k.name)}) != "" {
			return k.name
		}
	}
	return ""
}

// oldKeys are keys of other versions of OWT, and of its gRPC, that have no effect
// here. Before 5.1, [cascading] was called [cloud].
var oldKeys = []string{
	"manager.check_alive_period", "manager.heartbeatTimeout", "manager.leaderLeaseTimeout", "manager.grpc_host", "manager.grpc_port",
}

func oldKey(name string) bool { return slices.Contains(oldKeys, name) }

func oldSection(path []string) bool { return len(path) == 1 && path[0] == "cloud" }

func (r *reader) keepOld(name string, at int) {
	r.cfg.warnings = append(r.cfg.warnings, Problem{
		Origin: r.origin(at), Key: name, Message: "is of another version of OWT, and has no effect",
	})
}
