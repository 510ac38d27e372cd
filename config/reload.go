package config

import "fmt"

// Change is a key whose value differs between two configurations.
type Change struct {
	Key string
	// From and To are the values as Explain shows them.
	From, To string
	// Restart is set if the change takes effect only in a new process.
	Restart bool
}

// Diff returns what changed, in the order of the manual.
func Diff(from, to *Config) []Change {
	var out []Change
	for _, k := range both(from, to) {
		if !k.same(from, to) {
			out = append(out, Change{k.name, shown(k, from), shown(k, to), k.restart})
		}
	}
	if (from.rabbit.Source == "") != (to.rabbit.Source == "") {
		out = append(out, Change{"[rabbit]", presence(from), presence(to), true})
	}
	return out
}

// Reload returns the running configuration updated with the settings of next that
// can change while a manager runs, and the keys that need a restart. It modifies
// neither argument.
func Reload(running, next *Config) (applied *Config, needRestart []string) {
	applied = running.clone()
	for _, change := range Diff(running, next) {
		if change.Restart {
			needRestart = append(needRestart, change.Key)
		}
	}
	for _, k := range both(running, next) {
		if k.restart && !k.same(running, next) {
			continue
		}
		k.move(applied, next)
		applied.noteOrigin(k.name, next)
	}
	applied.warnings = next.warnings
	return applied, needRestart
}

func (c *Config) noteOrigin(key string, from *Config) {
	if origin, ok := from.origins[key]; ok {
		c.origins[key] = origin
		return
	}
	delete(c.origins, key)
}

// both returns the keys of both configurations, each once.
func both(a, b *Config) []key {
	all := a.clone()
	for purpose, s := range b.Strategy.ByPurpose {
		all.Strategy.ByPurpose[purpose] = s
	}
	for name, text := range b.Labels {
		all.Labels[name] = text
	}
	return all.list()
}

func shown(k key, c *Config) string { return fmt.Sprint(k.show(c)) }

func presence(c *Config) string {
	if c.rabbit.Source == "" {
		return "absent"
	}
	return "present"
}
