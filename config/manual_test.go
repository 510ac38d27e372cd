package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the generated pages")

const page = "../docs/configuration.md"

// docs/configuration.md is generated from testdata/manual.md, the table of keys
// and the package's actual output.
func TestManual(t *testing.T) {
	frame, err := os.ReadFile("testdata/manual.md")
	if err != nil {
		t.Fatal(err)
	}
	manual := strings.NewReplacer(
		"{{reference}}", markdown(), "{{example}}", example(t, "ours.toml"), "{{explain}}", explainOurs(t),
		"{{wrong}}", example(t, "wrong.toml"), "{{errors}}", errorsOfWrong(t), "{{reload}}", reloadable(),
	).Replace(string(frame))
	if *update {
		if err := os.WriteFile(page, []byte(manual), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(manual, string(got)); diff != "" {
		t.Errorf("docs/configuration.md is out of date, run make docs: %s", diff)
	}
}

func example(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

func explainOurs(t *testing.T) string {
	t.Helper()
	c, err := Parse("muster.toml", []byte(example(t, "ours.toml")))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ApplyEnv([]string{"MUSTER_BUS_PASSWORD=hunter2"}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.Explain(&out, "table"); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

func errorsOfWrong(t *testing.T) string {
	t.Helper()
	_, err := Parse("wrong.toml", []byte(example(t, "wrong.toml")))
	if err == nil {
		t.Fatal("testdata/wrong.toml is right")
	}
	return err.Error()
}

func reloadable() string {
	var names []string
	for _, k := range keys {
		if !k.restart {
			names = append(names, "`"+k.name+"`")
		}
	}
	return strings.Join(names, ", ")
}

func TestReference(t *testing.T) {
	var out bytes.Buffer
	if err := Reference(&out); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if !strings.Contains(out.String(), "\n  "+ownName(k.name)+" ") {
			t.Errorf("the reference lacks %s", k.name)
		}
	}
	for _, s := range sections {
		if !strings.Contains(out.String(), "["+s.name+"]\n") {
			t.Errorf("the reference lacks [%s]", s.name)
		}
	}
}

// The table of keys is complete, and its names agree with the sections.
func TestTableOfKeys(t *testing.T) {
	for _, k := range keys {
		if !knownSection(strings.Split(sectionOf(k.name), ".")) {
			t.Errorf("%s is in no section", k.name)
		}
		if k.meaning == "" || !strings.HasSuffix(k.meaning, ".") {
			t.Errorf("%s: its meaning is not a sentence: %q", k.name, k.meaning)
		}
	}
	for name, c := range map[string]string{"bus.tls.ca": "b.t.c", "manager.name": "m"} {
		from, to := Default(), Default()
		if err := from.SetFlag("-x", name, c); err != nil {
			t.Fatal(err)
		}
		k, _ := lookup(name)
		k.move(to, from)
		if !k.same(to, from) || k.show(to) != c {
			t.Errorf("%s does not move", name)
		}
	}
}

// markdown prints the reference as tables for docs/configuration.md.
func markdown() string {
	var out strings.Builder
	for _, s := range sections {
		fmt.Fprintf(&out, "### `[%s]`\n\n%s\n\n| key | type | default | change by | meaning |\n|---|---|---|---|---|\n", s.name, s.meaning)
		for _, row := range rows(s.name) {
			standard := row.standard
			if standard != "" {
				standard = "`" + standard + "`"
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s |\n", row.name, row.words, standard, row.change, row.meaning)
		}
		out.WriteString("\n")
	}
	return out.String()
}
