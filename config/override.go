package config

import (
	"os"
	"slices"
	"strings"

	"github.com/muster-fleet/muster/internal/nearest"
)

// SetFlag sets a key to the value of a flag, after Load. Call Check afterwards to
// validate combinations of keys.
func (c *Config) SetFlag(flag, key, text string) error {
	return c.applyFlags([]Flag{{flag, key, text}}).err()
}

// ApplyEnv applies the MUSTER_ variables of an environment in the form of
// os.Environ. An empty variable counts as unset. The error is Problems.
func (c *Config) ApplyEnv(environ []string) error { return c.applyEnv(environ).err() }

// Check validates combinations of keys. The error is Problems. Load and Parse
// include it; call it after SetFlag.
func (c *Config) Check() error { return c.check().err() }

// SecretsFile is the variable that names a file with further variables, one
// NAME=value per line, which take precedence over the environment. Secrets belong
// there because other processes can read the environment of a process.
const SecretsFile = "MUSTER_BUS_SECRETS_FILE"

// withSecrets replaces SecretsFile with the variables in that file.
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
			problems = append(problems, Problem{origin, "", "unknown variable", nearest.Word(name, variables())})
			continue
		}
		if problem, ok := c.override(origin, keys[i].name, text); !ok {
			problems = append(problems, problem)
		}
	}
	return problems
}

// ours reports whether a variable is meant for Muster's configuration, so that a
// misspelt one is found.
func ours(name string) bool {
	return slices.ContainsFunc([]string{"MUSTER_BUS_", "MUSTER_HTTP_", "MUSTER_METRICS_", "MUSTER_RAFT_", "MUSTER_ROOMS_", "MUSTER_TRACE_"}, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	})
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
		return Problem{origin, name, "unknown key", nearest.Word(name, keyNames())}, false
	}
	if err := k.read(c, value{shapeWord, text}); err != nil {
		return problemOf(origin, name, err), false
	}
	c.origins[name] = origin
	return Problem{}, true
}
