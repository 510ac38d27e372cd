package owttoml_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/muster-fleet/muster/internal/owttoml"
)

// What npm's toml 2.3.6 makes of each text.
func TestStrictMeansWhatNpmReads(t *testing.T) {
	for text, want := range map[string]any{
		"a = 05672":                int64(5672),
		"a = -05":                  int64(-5),
		"a = 0":                    int64(0),
		"a = 00":                   int64(0),
		"a = 007.5":                7.5,
		"a = [01, 02,\n 03]":       []any{int64(1), int64(2), int64(3)},
		"a = {b = 01}":             map[string]any{"b": int64(1)},
		`a = "C:\dir"`:             `C:\dir`,
		`a = "x\qy"`:               `x\qy`,
		`a = "\/x"`:                `\/x`,
		`a = """x\qy"""`:           `x\qy`,
		`a = "\t\"\\\u00e9"`:       "\t\"\\é",
		`a = 'x\q'`:                `x\q`,
		`a = "= 05" # b = 05`:      "= 05",
		"a = 'x' # it's \"05\\q\"": "x",
	} {
		got := map[string]any{}
		strict := owttoml.Strict([]byte(text))
		if err := toml.Unmarshal(strict, &got); err != nil {
			t.Errorf("%s became %s: %v", text, strict, err)
			continue
		}
		if diff := cmp.Diff(want, got["a"]); diff != "" {
			t.Errorf("%s became %s: want -, got +%s", text, strict, diff)
		}
	}
}

// Strict TOML stays as it is, names with zeros and times included.
func TestStrictLeavesTOMLAlone(t *testing.T) {
	for _, text := range []string{
		"", "\"", "a = \"", "a = \\", "[01]\n02 = 3\n", "a = 07:32:00\n", "a = 0999-01-01\n", "a = 0x10\nb = 0o7\n", "a = 1e05\nb = 1.05\n", "[a.05]\nb.06 = 'c'\n",
		"a = \"\"\"\nx = 05\n\"\"\"\n", "a = '''\nx = 05\\q'''\nb = 1\n", "# it's = 05\na = \"b\\\\\"\n",
	} {
		if got := string(owttoml.Strict([]byte(text))); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func FuzzStrict(f *testing.F) {
	f.Add([]byte("a = 05672\nb = \"\\q\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		var before, after map[string]any
		if toml.Unmarshal(text, &before) != nil {
			owttoml.Strict(text)
			return
		}
		if err := toml.Unmarshal(owttoml.Strict(text), &after); err != nil {
			t.Fatalf("%q was TOML, and is not as %q: %v", text, owttoml.Strict(text), err)
		}
	})
}
