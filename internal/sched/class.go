package sched

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/muster-fleet/muster"
)

// class is the workers of a pool that no requirement so far distinguishes.
type class struct {
	traits
	size     int            // workers in it
	statuses [numStatus]int // of these, by status
	loads    heap           // least-used, most-used: the available ones
	weights  groups         // weight-robin: the available ones
	tiers    []*tier        // those whose bits hold its available workers
	mark     *tier          // of the tier that is being filled
}

// traits are the attributes of a worker that requirements look at. Lists are
// sorted and without doubles.
type traits struct {
	isps, regions  []string
	encode, decode []string
	algorithms     []string
	labels         map[string]string
}

// traits returns what the rules of the pool look at: of the labels those that
// requirements have named so far.
func (p *Pool) traits(info *muster.Info) traits {
	var t traits
	if p.rules.Place {
		t.isps, t.regions = set(info.Capacity.ISPs), set(info.Capacity.Regions)
	}
	if video := info.Capacity.Video; p.rules.Codecs && video != nil {
		t.encode, t.decode = set(video.Encode), set(video.Decode)
	}
	if p.rules.Algorithm {
		t.algorithms = set(info.Capacity.Algorithms)
	}
	for key := range p.splits {
		if value, ok := info.Labels[key]; ok {
			if t.labels == nil {
				t.labels = map[string]string{}
			}
			t.labels[key] = value
		}
	}
	return t
}

func set(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

// key is equal for equal traits, and for no others.
func (t *traits) key() string {
	var b strings.Builder
	for _, list := range [][]string{t.isps, t.regions, t.encode, t.decode, t.algorithms} {
		writeList(&b, list)
	}
	for _, key := range slices.Sorted(maps.Keys(t.labels)) {
		writeList(&b, []string{key, t.labels[key]})
	}
	return b.String()
}

func writeList(b *strings.Builder, list []string) {
	b.WriteString(strconv.Itoa(len(list)))
	for _, s := range list {
		b.WriteByte(' ')
		b.WriteString(strconv.Itoa(len(s)))
		b.WriteByte(':')
		b.WriteString(s)
	}
	b.WriteByte('\n')
}

// classOf returns the class of a worker with this info. A new class drops the
// views, since they list every class.
func (p *Pool) classOf(info *muster.Info) *class {
	t := p.traits(info)
	key := t.key()
	c := p.classes[key]
	if c == nil {
		c = &class{traits: t}
		p.classes[key] = c
		p.list = append(p.list, c)
		p.dropViews()
	}
	return c
}
