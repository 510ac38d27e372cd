// Package purposes has the table of OWT's purposes: all that the programs know
// about one by its name.
package purposes

import (
	"maps"
	"slices"

	"github.com/muster-fleet/muster"
)

// Purpose is what is known about a purpose. The zero value is one that nothing is
// known about, and some of OWT's own.
type Purpose struct {
	// Strategy is the one that OWT configures, "" for the general one.
	Strategy muster.Strategy
	// Place, Codecs and Algorithm are what its matcher looks at beside labels,
	// which count for every purpose. Place is isp and region.
	Place, Codecs, Algorithm bool
	// PerTask gives each task a node of its own. Else the tasks of a room share
	// one; OwnRoom keeps other rooms out even if there can be no more nodes.
	PerTask, OwnRoom bool
	// Load is what its workers report as their load.
	Load Resource
	// Media is the kind of media task (package media) of one whose spec does not
	// name a kind, "" if there is none.
	Media string
}

// Resource is a resource of a machine.
type Resource int

// The resources. GPU is CPU where there is no acceleration.
const (
	CPU Resource = iota
	GPU
	Disk
	Network
)

var all = map[string]Purpose{
	"portal":      {Strategy: muster.LastUsed, Place: true},
	"conference":  {Strategy: muster.LastUsed, OwnRoom: true},
	"webrtc":      {Strategy: muster.LastUsed, Place: true, Load: Network},
	"sip":         {Strategy: muster.RoundRobin, OwnRoom: true},
	"streaming":   {Strategy: muster.RoundRobin, Place: true, Load: Network, Media: "stream"},
	"recording":   {Strategy: muster.RandomlyPick, Load: Disk, Media: "record"},
	"audio":       {Strategy: muster.MostUsed, Place: true, PerTask: true},
	"video":       {Strategy: muster.LeastUsed, Place: true, Codecs: true, PerTask: true, Load: GPU, Media: "transcode"},
	"analytics":   {Strategy: muster.LeastUsed, Algorithm: true, PerTask: true, Media: "analyse"},
	"quic":        {Load: Network},
	"mediabridge": {Load: Network},
	"eventbridge": {Load: Network},
}

// Of returns what is known about a purpose.
func Of(name string) Purpose { return all[name] }

// Names lists the purposes of the table, sorted.
func Names() []string { return slices.Sorted(maps.Keys(all)) }

// Strategies are those of the purposes that have one.
func Strategies() map[string]muster.Strategy {
	out := map[string]muster.Strategy{}
	for name, p := range all {
		if p.Strategy != "" {
			out[name] = p.Strategy
		}
	}
	return out
}

// OfMedia lists the purposes that have a kind of media task, sorted.
func OfMedia() []string {
	return slices.DeleteFunc(Names(), func(name string) bool { return all[name].Media == "" })
}
