package muster

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, test := range []struct{ name, want string }{
		{"webrtc-1@10.0.0.1", ""},
		{"Konferenz Größe 会議", ""},
		{strings.Repeat("x", 10), "must not be longer than"},
		{"", "must be a non-empty string"},
		{"\xff", "must be valid UTF-8"},
		{"a\xed\xa0\x80", "must be valid UTF-8"}, // half of a surrogate pair
		{"a\x00", "control characters"},
		{"a\x7f", "control characters"},
		{"a\u0085", "control characters"},
	} {
		most := 40
		if strings.HasPrefix(test.name, "xxx") {
			most = 9
		}
		err := CheckName(test.name, most)
		if got := ""; err != nil {
			got = err.Error()
			if test.want == "" || !strings.Contains(got, test.want) {
				t.Errorf("%q: %s, want %q", test.name, got, test.want)
			}
		} else if test.want != "" {
			t.Errorf("%q passes, want %q", test.name, test.want)
		}
	}
}

func TestCheckOrder(t *testing.T) {
	for _, test := range []struct {
		order TaskOrder
		want  string
	}{
		{TaskOrder{Task: "t"}, ""},
		{TaskOrder{Task: "t\n"}, "task must not have control characters"},
		{TaskOrder{Task: "t", Room: strings.Repeat("r", MaxTask+1)}, "room must not be longer than 1024 bytes"},
		{TaskOrder{Task: "t", Spec: []byte(`"` + strings.Repeat("x", MaxSpec) + `"`)}, "spec must not be longer than 262144 bytes"},
	} {
		err := test.order.Check()
		if got := errorText(err); !strings.HasPrefix(got, test.want) || test.want == "" && err != nil {
			t.Errorf("%.40v: %q, want %q", test.order, got, test.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
