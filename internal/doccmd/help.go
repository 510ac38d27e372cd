package doccmd

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var (
	// typed are placeholders that say no more than the type of a value.
	typed = []string{"string", "strings", "ints", "int", "uint", "float", "text", "words"}
	// unclear are words that help does without.
	unclear = regexp.MustCompile(`(?i)\b(nobody|told|whoever|the one that|is over)\b`)
)

// Help checks the help of each command below root that users see: it says what the
// command does, has an example, and explains each flag with a placeholder that is not a
// type of Go. each is called with every such command.
func Help(t *testing.T, root *cobra.Command, each func(*cobra.Command)) {
	t.Helper()
	for _, cmd := range root.Commands() {
		if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
			continue
		}
		Help(t, cmd, each)
		path := cmd.CommandPath()
		if !strings.Contains(cmd.Example, path) {
			t.Errorf("%s: no example", path)
		}
		if len(cmd.Long) < len("what it does, in a sentence or more") {
			t.Errorf("%s: it does not say what it does", path)
		}
		usage := cmd.UsageString()
		if word := unclear.FindString(cmd.Long + usage); word != "" {
			t.Errorf("%s: the help has %q", path, word)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			shown := regexp.MustCompile(`--` + f.Name + `(?: (\S+))?  +(.*)`).FindStringSubmatch(usage)
			switch {
			case f.Hidden:
			case shown == nil || strings.TrimSpace(shown[2]) == "":
				t.Errorf("%s: --%s is not explained", path, f.Name)
			case slices.Contains(typed, shown[1]):
				t.Errorf("%s: --%s %s: the placeholder does not say what is meant", path, f.Name, shown[1])
			case strings.Contains(shown[2], "(default [") || strings.Count(shown[2], "(default") > 1:
				t.Errorf("%s: --%s: the default is unclear: %s", path, f.Name, shown[2])
			}
		})
		each(cmd)
	}
}
