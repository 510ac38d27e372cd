package client

import (
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
