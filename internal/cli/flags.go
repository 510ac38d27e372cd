package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// typeWords are what help shows in the place of Go's names of types.
var typeWords = map[string]string{
	"int": "number", "uint": "number", "int64": "number", "uint64": "number", "float64": "number",
	"intSlice": "numbers", "stringSlice": "words", "stringArray": "words", "string": "text", "stringToString": "key=value", "stringToInt": "key=number",
}

// FlagUsages are the lines of help on flags: their placeholders are words instead of
// Go's types, and their defaults are as one would type them.
func FlagUsages(flags *pflag.FlagSet) string {
	shown := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.VisitAll(func(f *pflag.Flag) {
		copied := *f
		if word, ok := typeWords[f.Value.Type()]; ok {
			copied.Value = typed{f.Value, word}
			copied.DefValue = strings.TrimSuffix(strings.TrimPrefix(f.DefValue, "["), "]")
		}
		shown.AddFlag(&copied)
	})
	return strings.TrimRight(shown.FlagUsages(), " \n")
}

// typed is a value whose type has another name.
type typed struct {
	pflag.Value
	name string
}

func (t typed) Type() string { return t.name }

// PlainFlags has the help of a command, and of those below it, show flags as
// FlagUsages does.
func PlainFlags(root *cobra.Command) {
	cobra.AddTemplateFunc("plainFlags", FlagUsages)
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), LocalFlags, "{{.LocalFlags | plainFlags}}", 1))
}

// LocalFlags is where cobra's template of help has the flags of a command.
const LocalFlags = "{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}"

// WordVar adds a flag that takes one of some words, of which the first is the
// default.
func WordVar[T ~string](flags *pflag.FlagSet, to *T, name, shorthand, usage string, words ...T) {
	*to = words[0]
	w := &word[T]{to: to}
	for _, one := range words {
		w.words = append(w.words, string(one))
	}
	flags.VarP(w, name, shorthand, usage)
}

// word is the value of such a flag.
type word[T ~string] struct {
	to    *T
	words []string
}

func (w *word[T]) Set(text string) error {
	if !slices.Contains(w.words, text) {
		last := len(w.words) - 1
		return fmt.Errorf("must be %s or %s", strings.Join(w.words[:last], ", "), w.words[last])
	}
	*w.to = T(text)
	return nil
}

func (w *word[T]) String() string { return string(*w.to) }

// Type is what help shows for the value.
func (w *word[T]) Type() string { return strings.Join(w.words, "|") }
