package config

import (
	"os"
	"slices"
	"strings"
)

// SetFlag gives a key the value of a flag, after Load. What depends on several
// keys is left to Check.
func (c *Config) SetFlag(flag, key, text string) error {
	return c.applyFlags([]Flag{{flag, key, text}}).err()
}

// ApplyEnv takes the MUSTER_ variables from an environment in the form of
// os.Environ. An empty variable counts as none. The error is Problems.
func (c *Config) ApplyEnv(environ []string) error { return c.applyEnv(environ).err() }

// Check returns what is wrong with the values together, as Problems. Load and
// Parse have checked already: call it after SetFlag.
func (c *Config) Check() error { return c.check().err() }

// SecretsFile is the variable that names a file with further variables, one
// NAME=value a line, which go before those of the environment: what the
// environment of a process holds can be read by others.
const SecretsFile = "MUSTER_BUS_SECRETS_FILE"

// withSecrets puts the variables of SecretsFile in the place of itself.
func withSecrets(environ []string) ([]string, error) {
	all := map[string]string{}
	add := func(entry string) {
		if name, text, ok := strings.Cut(entry, "="); ok {
			all[name] = text
		}
	}
	for _, entry := range environ {
		add(entry)
	}
	path := all[SecretsFile]
	if path == "" {
		return environ, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	delete(all, SecretsFile)
	for line := range strings.Lines(string(text)) {
		add(strings.TrimRight(line, "\r\n"))
	}
	merged := make([]string, 0, len(all))
	for name, text := range all {
		merged = append(merged, name+"="+text)
	}
	return merged, nil
}

func (c *Config) applyEnv(environ []string) Problems {
	var problems Problems
	environ, err := withSecrets(environ)
	if err != nil {
		return Problems{problemOf(Origin{Source: FromEnvironment, Name: SecretsFile}, "", err)}
	}
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		name, text, _ := strings.Cut(entry, "=")
		if !ours(name) || text == "" {
			continue
		}
		origin := Origin{Source: FromEnvironment, Name: name}
		i := slices.IndexFunc(keys, func(k key) bool { return k.env == name })
		if i < 0 {
			problems = append(problems, Problem{origin, "", "unknown variable", nearest(name, variables())})
			continue
		}
		if problem, ok := c.override(origin, keys[i].name, text); !ok {
			problems = append(problems, problem)
		}
	}
	return problems
}

// ours tells whether a variable is meant for Muster's configuration, so that
// one that is misspelt is found.
func ours(name string) bool {
	return strings.HasPrefix(name, "MUSTER_BUS_") || strings.HasPrefix(name, "MUSTER_RAFT_")
}

func (c *Config) applyFlags(flags []Flag) Problems {
	var problems Problems
	for _, f := range flags {
		if problem, ok := c.override(Origin{Source: FromFlag, Name: f.Name}, f.Key, f.Value); !ok {
			problems = append(problems, problem)
		}
	}
	return problems
}

func variables() []string {
	var names []string
	for _, k := range keys {
		if k.env != "" {
			names = append(names, k.env)
		}
	}
	return names
}

func (c *Config) override(origin Origin, name, text string) (Problem, bool) {
	k, ok := lookup(name)
	if !ok {
		return Problem{origin, name, "unknown key", nearest(name, keyNames())}, false
	}
	if err := k.read(c, value{shapeWord, text}); err != nil {
		return problemOf(origin, name, err), false
	}
	c.origins[name] = origin
	return Problem{}, true
}
