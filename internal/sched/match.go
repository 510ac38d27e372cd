package sched

import (
	"slices"
	"strings"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/purposes"
)

// requirement is a preference without what the matcher of the purpose does not
// look at.
type requirement struct {
	rules purposes.Purpose
	muster.Preference
}

// requirement reduces a preference to what counts here.
func (p *Pool) requirement(pref muster.Preference) requirement {
	if !p.rules.Place {
		pref.ISP, pref.Region = "", ""
	}
	if !p.rules.Codecs {
		pref.Video = muster.Formats{}
	}
	if !p.rules.Algorithm {
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
	case r.rules.Place && len(t.isps) > 0 && (r.ISP == "" || !slices.Contains(t.isps, r.ISP)):
		return muster.RuleISP, true
	case r.rules.Codecs && !(containsAll(t.encode, r.Video.Encode) && containsAll(t.decode, r.Video.Decode)):
		return muster.RuleCodec, true
	case r.rules.Algorithm && r.Algorithm != "" && !slices.Contains(t.algorithms, r.Algorithm):
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
	return !slices.ContainsFunc(wanted, func(s string) bool { return !slices.Contains(list, s) })
}
