package sched

import (
	"slices"
	"strings"

	"github.com/muster-fleet/muster"
)

// rules is what the matcher of a purpose looks at beside the labels, which
// count for every purpose.
type rules struct {
	place     bool // isp and region
	codecs    bool
	algorithm bool
}

// rulesOf returns the rules of a purpose: OWT's. Those of conference,
// recording, sip, quic, mediabridge, eventbridge and of every purpose that is
// unknown look at nothing.
func rulesOf(purpose string) rules {
	switch purpose {
	case "webrtc", "portal", "streaming", "audio":
		return rules{place: true}
	case "video":
		return rules{place: true, codecs: true}
	case "analytics":
		return rules{algorithm: true}
	}
	return rules{}
}

// requirement is a preference without what the pool's rules do not look at.
type requirement struct {
	rules
	muster.Preference
}

// requirement reduces a preference to what counts here.
func (p *Pool) requirement(pref muster.Preference) requirement {
	if !p.rules.place {
		pref.ISP, pref.Region = "", ""
	}
	if !p.rules.codecs {
		pref.Video = muster.Formats{}
	}
	if !p.rules.algorithm {
		pref.Algorithm = ""
	}
	pref.Video.Encode, pref.Video.Decode = set(pref.Video.Encode), set(pref.Video.Decode)
	return requirement{p.rules, pref}
}

// key is equal for requirements that ask for the same.
func (r *requirement) key() string {
	var b strings.Builder
	writeList(&b, []string{r.ISP, r.Region, r.Algorithm})
	writeList(&b, r.Video.Encode)
	writeList(&b, r.Video.Decode)
	for _, label := range r.Labels {
		absent := ""
		if label.Absent {
			absent = "absent"
		}
		writeList(&b, []string{label.Key, absent})
		writeList(&b, label.In)
	}
	return b.String()
}

// excludes returns the first rule that keeps workers of these traits out,
// whatever their state and load are.
func (r *requirement) excludes(t *traits) (muster.Rule, bool) {
	switch {
	case r.place && len(t.isps) > 0 && (r.ISP == "" || !slices.Contains(t.isps, r.ISP)):
		return muster.RuleISP, true
	case r.codecs && !(containsAll(t.encode, r.Video.Encode) && containsAll(t.decode, r.Video.Decode)):
		return muster.RuleCodec, true
	case r.algorithm && r.Algorithm != "" && !slices.Contains(t.algorithms, r.Algorithm):
		return muster.RuleCodec, true
	}
	for _, label := range r.Labels {
		if !label.Matches(t.labels) {
			return muster.RuleLabel, true
		}
	}
	return 0, false
}

// inRegion reports whether workers of these traits list the wanted region. If
// none is wanted, all do.
func (r *requirement) inRegion(t *traits) bool {
	return r.Region == "" || slices.Contains(t.regions, r.Region)
}

func containsAll(list, wanted []string) bool {
	for _, s := range wanted {
		if !slices.Contains(list, s) {
			return false
		}
	}
	return true
}
