package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"pgregory.net/rapid"
)

func FuzzParse(f *testing.F) {
	owt, err := os.ReadFile("testdata/cluster_manager.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(owt)
	for _, k := range keys {
		for _, text := range []string{"3", "-1", "'x'", "true", "[1, {a = 2}]", "{a = 1}", "1979-05-27", "1e400", "\"\"\"\n", "'\n", ""} {
			f.Add([]byte("[" + sectionOf(k.name) + "]\n" + ownName(k.name) + " = " + text + "\nx = 1\n"))
		}
	}
	f.Add([]byte("\ufeff[[a.b]]\r\n[a\n[bus]\nurl='nats://a:b@c'\n[bus]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		c, err := Parse("fuzz.toml", data)
		if !bytes.Equal(data, before) {
			t.Fatal("Parse changed its input")
		}
		if err != nil {
			checkProblems(t, err, data)
			return
		}
		checkUsable(t, c)
		if err := toml.Unmarshal(bytes.TrimPrefix(data, []byte("\ufeff")), &map[string]any{}); err != nil {
			t.Fatalf("Parse accepts what is not TOML: %v", err)
		}
	})
}

func checkProblems(t *testing.T, err error, data []byte) {
	t.Helper()
	var problems Problems
	if !errors.As(err, &problems) || len(problems) == 0 {
		t.Fatalf("not Problems: %v", err)
	}
	last := 0
	for _, p := range problems {
		o := p.Origin
		if o.Source != FromFile || o.File != "fuzz.toml" || o.Line < 1 || o.Column < 1 || o.Line > bytes.Count(data, []byte("\n"))+1 || p.Message == "" {
			t.Fatalf("a problem without its place: %+v", p)
		}
		if o.Line < last {
			t.Fatalf("out of order: %v", err)
		}
		last = o.Line
		if !strings.HasPrefix(p.Error(), fmt.Sprintf("fuzz.toml:%d:%d: ", o.Line, o.Column)) {
			t.Fatalf("text without its place: %v", p)
		}
	}
}

func checkUsable(t *testing.T, c *Config) {
	t.Helper()
	if err := c.Placement().Validate(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.Explain(&out, "table"); err != nil {
		t.Fatal(err)
	}
	if err := checkURLs(c.BusURL().Reveal()); err != nil {
		t.Fatalf("the bus's URL %q: %v", c.BusURL(), err)
	}
	if changes := Diff(c, c.clone()); len(changes) > 0 {
		t.Fatal(changes)
	}
}

// A configuration that another library writes as TOML is read back the same.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := draw(t, "file")
		want.rabbit.Source = FromFile
		data, err := toml.Marshal(nested(want))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse("m.toml", data)
		if err != nil {
			t.Fatalf("%v\nin\n%s", err, data)
		}
		for _, change := range Diff(want, got) {
			// A file cannot take a default strategy away.
			if s := strings.TrimPrefix(change.Key, "strategy."); change.From != "" || Default().Strategy.ByPurpose[s] == "" {
				t.Errorf("%+v in\n%s", change, data)
			}
		}
	})
}

func nested(c *Config) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, k := range c.list() {
		section, own, _ := strings.Cut(k.name, ".")
		if strings.HasPrefix(own, "tls.") || strings.HasPrefix(own, "cluster.") || section == "rabbit" {
			continue
		}
		if out[section] == nil {
			out[section] = map[string]any{}
		}
		out[section][own] = k.show(c)
	}
	out["rabbit"] = map[string]any{"port": c.Rabbit.Port}
	out["bus"]["password"] = c.Bus.Password.Reveal()
	return out
}
