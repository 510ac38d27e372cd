package sched

import (
	"encoding/json"

	"github.com/muster-fleet/muster"
)

// view is a requirement held against the classes of a pool.
type view struct {
	requirement
	// tiers are the classes that match: those in the wanted region, and the
	// others, which are taken while none of the former is available.
	tiers [2]tier
	// excluded counts the workers of the other classes, as of version.
	excluded muster.Excluded
	version  uint64
	used     uint64 // when, for the choice of whom to forget
	gone     bool   // forgotten
}

// tier is classes that are candidates together.
type tier struct {
	classes []*class
	bits    *bitset // the available workers; only for strategies that use it
}

// views are the requirements that were asked for lately: by what they ask for,
// and by the very bytes of a preference, so that these are parsed once.
type views struct {
	byKey map[string]*view
	byRaw map[string]parsed
	clock uint64
}

// parsed is what a preference asks for, and what of it asks for nothing.
type parsed struct {
	view    *view
	ignored []string
}

const (
	rawPerView = 4    // preferences that are remembered for each view, in the mean
	maxRaw     = 1024 // bytes of a preference that is remembered
)

// dropViews forgets every view.
func (p *Pool) dropViews() {
	if len(p.views.byKey) == 0 {
		return
	}
	clear(p.views.byKey)
	clear(p.views.byRaw)
	for _, c := range p.list {
		c.tiers = nil
	}
}

// view returns the view of a preference, and the members that were ignored.
func (p *Pool) view(raw json.RawMessage) (*view, []string, error) {
	p.views.clock++
	known := p.views.byRaw[string(raw)]
	if known.view == nil || known.view.gone {
		pref, err := muster.ParsePreference(raw)
		if err != nil {
			return nil, nil, err
		}
		known = parsed{p.viewOf(p.requirement(pref)), pref.Ignored}
		p.alias(raw, known)
	}
	v := known.view
	v.used = p.views.clock
	if v.version != p.version {
		p.recount(v)
	}
	return v, known.ignored, nil
}

func (p *Pool) alias(raw json.RawMessage, to parsed) {
	if len(raw) > maxRaw {
		return
	}
	if len(p.views.byRaw) >= rawPerView*p.limits.Views {
		clear(p.views.byRaw)
	}
	p.views.byRaw[string(raw)] = to
}

func (p *Pool) viewOf(r requirement) *view {
	key := r.key()
	if v := p.views.byKey[key]; v != nil {
		return v
	}
	p.split(r.Labels)
	if len(p.views.byKey) >= p.limits.Views {
		p.views.forget()
	}
	v := &view{requirement: r}
	for _, c := range p.list {
		if _, out := r.excludes(&c.traits); !out {
			t := &v.tiers[0]
			if !r.inRegion(&c.traits) {
				t = &v.tiers[1]
			}
			t.classes = append(t.classes, c)
		}
	}
	p.recount(v)
	p.views.byKey[key] = v
	return v
}

// recount brings the counts of a view up to date after workers came or went.
func (p *Pool) recount(v *view) {
	v.version = p.version
	v.excluded = muster.Excluded{}
	for _, c := range p.list {
		if rule, out := v.excludes(&c.traits); out {
			v.excluded[rule] += c.size
		}
	}
}

// forget drops the view that was not used for longest.
func (v *views) forget() {
	var oldest *view
	var key string
	for k, c := range v.byKey {
		if oldest == nil || c.used < oldest.used {
			oldest, key = c, k
		}
	}
	oldest.gone = true
	delete(v.byKey, key)
	for i := range oldest.tiers {
		oldest.tiers[i].dropBits()
	}
}
