package client

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

// A misspelled member is refused before anything is sent; one that Muster does
// not know and that resembles none passes, since OWT's programs may send it.
func TestMisspelledPreference(t *testing.T) {
	for preference, want := range map[string]string{
		`{"lables": {"gpu": "a100"}}`:                               "preference.lables is unknown: did you mean labels?",
		`{"Region": "eu"}`:                                          "preference.Region is unknown: did you mean region?",
		`{"video": {"encdoe": ["vp8"]}}`:                            "preference.video.encdoe is unknown: did you mean video.encode?",
		`{"origin": {"ips": "a"}}`:                                  "preference.origin.ips is unknown: did you mean origin.isp?",
		`{"room": "r", "ip": "1.2.3.4", "labels": {"lables": "x"}}`: "",
		`"webrtc"`: "",
		`null`:     "",
	} {
		err := checkMembers([]byte(preference))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", preference, err)
		case want != "" && (err == nil || !strings.HasSuffix(err.Error(), want)):
			t.Errorf("%s: %v, want %s", preference, err, want)
		}
	}
}

// A place alone is written as package encoding/json would write it.
func TestPlaceAlone(t *testing.T) {
	names := []string{"", "a", "quoted \" \\ <&>", "ü\x00\u2028", "not \xff UTF-8"}
	for _, isp := range names {
		for _, region := range names {
			want := map[string]string{}
			if isp != "" {
				want["isp"] = strings.ToValidUTF8(isp, "\ufffd")
			}
			if region != "" {
				want["region"] = strings.ToValidUTF8(region, "\ufffd")
			}
			got := map[string]string(nil)
			raw := place(isp, region)
			err := json.Unmarshal(raw, &got)
			if err != nil || len(want) == 0 != (string(raw) == "null") || !maps.Equal(got, want) {
				t.Errorf("%q and %q: %s, %v", isp, region, raw, err)
			}
		}
	}
}
