package config

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Reference prints every key, with its type, its default, whether a change takes
// effect by a reload or a restart, and its meaning.
func Reference(w io.Writer) error {
	var out bytes.Buffer
	for _, s := range sections {
		fmt.Fprintf(&out, "[%s]\n%s\n\n", s.name, strings.ReplaceAll(s.meaning, "`", ""))
		table := tabwriter.NewWriter(&out, 0, 8, 2, ' ', 0)
		for _, row := range rows(s.name) {
			_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n", row.name, row.words, row.standard, row.change, strings.ReplaceAll(row.meaning, "`", ""))
		}
		_ = table.Flush()
		fmt.Fprintln(&out)
	}
	_, err := out.WriteTo(w)
	return err
}

// row is a line of the reference. change is how a change takes effect.
type row struct{ name, words, standard, change, meaning string }

func rows(section string) []row {
	standard := Default()
	var out []row
	for _, k := range standard.list() {
		if name, ok := strings.CutPrefix(k.name, section+"."); ok && !strings.Contains(name, ".") {
			out = append(out, row{name, k.words(), shown(k, standard), k.change(), k.meaning + k.notes()})
		}
	}
	if slices.Contains([]string{"strategy", "labels"}, section) {
		k, _ := lookup(section + ".any")
		out = append(out, row{"...", k.words(), "", k.change(), map[string]string{
			"strategy": "Strategy of any other purpose.", "labels": "Value of the label.",
		}[section] + k.notes()})
	}
	return out
}

// change returns how a change of the key takes effect: by a reload or only by a
// restart, or "" if the key has no effect.
func (k key) change() string {
	switch {
	case k.inert:
		return ""
	case k.restart:
		return "restart"
	}
	return "reload"
}

func (k key) notes() string {
	var notes string
	if k.env != "" {
		notes += " Variable: `" + k.env + "`."
	}
	if k.inert {
		notes += " Accepted, without effect."
	}
	return notes
}
