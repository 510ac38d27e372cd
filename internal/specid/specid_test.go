package specid

import (
	"encoding/json"
	"testing"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		room1, spec1, room2, spec2 string
		same                       bool
	}{
		{"r", `{"a":1,"b":[true,null]}`, "r", " {\"b\" : [true, null],\n\"a\":1.0}", true},
		{"r", `1e2`, "r", `100`, true},
		{"r", `-0`, "r", `0`, true},
		{"r", ``, "r", `null`, true},
		{"r", `"a"`, "r", `"a"`, true},
		{"r", `"é"`, "r", `"\u00e9"`, true},
		{"r", `{"a":1}`, "other", `{"a":1}`, false},
		{"r", `{"a":1}`, "r", `{"a":2}`, false},
		{"r", `{"a":1}`, "r", ``, false},
		{"r", `[1,2]`, "r", `[2,1]`, false},
		{"r", `9007199254740993`, "r", `9007199254740992`, false},
		{"r", `1`, "r", `"1"`, false},
		{"r", `{`, "r", `{`, true},
		{"r", `1 2`, "r", `1`, false},
		{`r"`, `1`, `r`, `"1`, false},
	} {
		same := Of(c.room1, json.RawMessage(c.spec1)) == Of(c.room2, json.RawMessage(c.spec2))
		if same != c.same {
			t.Errorf("%q %s and %q %s are the same: %v", c.room1, c.spec1, c.room2, c.spec2, same)
		}
	}
}
