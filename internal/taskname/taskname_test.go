package taskname_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/internal/taskname"
)

func TestOf(t *testing.T) {
	for raw, want := range map[string]string{
		`"room1"`:                  "room1",
		`"\u00e9\n"`:               "é\n",
		`""`:                       "",
		``:                         "",
		`null`:                     "null",
		`true`:                     "true",
		`7`:                        "7",
		`7.0`:                      "7",
		`1e21`:                     "1e+21",
		`1e999`:                    "1e999",
		`{"room":"r","task":"t"}`:  "t",
		` {"task":"t"}`:            "t",
		`{"task":5}`:               "5",
		`{"task":null,"room":"r"}`: "null",
		`{"task":{"task":"deep"}}`: "json-7b0a38ecb9ef74da1b8b2eb5e1ab4d3f",
		`[]`:                       "json-4f53cda18c2baa0c0354bb5f9a3ecbe5",
		`{}`:                       "json-44136fa355b3678a1146ad16f7e8649e",
	} {
		got := taskname.Of(json.RawMessage(raw))
		if strings.HasPrefix(want, "json-") {
			if !strings.HasPrefix(got, "json-") || len(got) != len(want) {
				t.Errorf("%s: %q, want a hash", raw, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}

func TestEqualValuesHaveOneName(t *testing.T) {
	equal := []string{`{"room":"r","n":1}`, `{ "n": 1.0, "room": "\u0072" }`}
	if a, b := taskname.Of(json.RawMessage(equal[0])), taskname.Of(json.RawMessage(equal[1])); a != b {
		t.Errorf("%s and %s: %s and %s", equal[0], equal[1], a, b)
	}
	for _, other := range []string{`{"room":"s","n":1}`, `[{"room":"r","n":1}]`, `"r"`} {
		if taskname.Of(json.RawMessage(other)) == taskname.Of(json.RawMessage(equal[0])) {
			t.Errorf("%s has the name of %s", other, equal[0])
		}
	}
}
