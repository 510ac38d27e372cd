package muster

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Preference is what a task asks of its worker. On the wire it may be any JSON
// value at all; what is not understood asks for nothing.
type Preference struct {
	// ISP and Region are empty where the preference names none.
	ISP, Region string
	// Video are the codecs wanted of a video worker.
	Video Formats
	// Algorithm is the one wanted of an analytics worker.
	Algorithm string
	// Labels are requirements on the labels of the worker, sorted by key. All
	// of them must hold.
	Labels []LabelRequirement
	// Ignored are the members that Muster does not know, sorted, such as "lables"
	// or "video.encod". They ask for nothing.
	Ignored []string
}

// LabelRequirement asks something of one label of a worker. In a preference:
//
//	{"labels": {"gpu": "a100"}}                   the label is "a100"
//	{"labels": {"zone": {"in": ["a", "b"]}}}      it is one of these
//	{"labels": {"ssd": {"exists": true}}}         it is there, or with false: it is not
type LabelRequirement struct {
	Key string
	// In are the values that will do. Empty: it is enough that the label
	// exists, or, with Absent, that it does not.
	In     []string
	Absent bool
}

// Matches reports whether the labels of a worker meet the requirement.
func (r LabelRequirement) Matches(labels map[string]string) bool {
	value, ok := labels[r.Key]
	switch {
	case r.Absent:
		return !ok
	case len(r.In) == 0:
		return ok
	}
	return ok && slices.Contains(r.In, value)
}

// ParsePreference reads a preference. OWT's members (isp, region, video,
// algorithm) never fail: a preference, or a member, of another type asks for
// nothing. A requirement under "labels" that cannot be understood is an error
// that names it, since to ignore it would place the task where it must not be.
func ParsePreference(raw json.RawMessage) (Preference, error) {
	var p Preference
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return p, nil
	}
	p.ISP, p.Region = origin(members)
	p.Ignored = ignored(members)
	p.Algorithm = text(members["algorithm"])
	var video map[string]json.RawMessage
	if json.Unmarshal(members["video"], &video) == nil {
		p.Video = Formats{Encode: texts(video["encode"]), Decode: texts(video["decode"])}
	}
	labels, err := parseLabels(members["labels"])
	p.Labels = labels
	return p, err
}

// PreferenceMembers are the members of a preference that Muster knows.
var PreferenceMembers = []string{
	"algorithm", "isp", "labels", "origin", "origin.isp", "origin.region", "region", "video", "video.decode", "video.encode",
}

// ignored returns the members that mean nothing to Muster.
func ignored(members map[string]json.RawMessage) []string {
	var out []string
	for name, raw := range members {
		if !slices.Contains(PreferenceMembers, name) || strings.Contains(name, ".") {
			out = append(out, name)
			continue
		}
		var inner map[string]json.RawMessage
		if name != "video" && name != "origin" || json.Unmarshal(raw, &inner) != nil {
			continue
		}
		for member := range inner {
			if path := name + "." + member; !slices.Contains(PreferenceMembers, path) {
				out = append(out, path)
			}
		}
	}
	slices.Sort(out)
	return out
}

// origin returns the isp and the region. OWT 5.0 has them in a member origin
// where it asks for audio and video workers.
func origin(members map[string]json.RawMessage) (isp, region string) {
	var nested map[string]json.RawMessage
	_ = json.Unmarshal(members["origin"], &nested) // any other value has no members
	isp, region = text(members["isp"]), text(members["region"])
	if isp == "" && region == "" {
		return text(nested["isp"]), text(nested["region"])
	}
	return isp, region
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // any other value is ""
	return s
}

// texts returns the strings of a JSON array; other elements become their JSON
// text, which no worker offers, so that asking for them matches nothing.
func texts(raw json.RawMessage) []string {
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil {
		return nil
	}
	var out []string
	for _, e := range elements {
		out = append(out, cmp.Or(text(e), string(e)))
	}
	return out
}

func parseLabels(raw json.RawMessage) ([]LabelRequirement, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var labels map[string]json.RawMessage
	if json.Unmarshal(raw, &labels) != nil {
		return nil, fmt.Errorf("preference.labels must be an object of requirements, as in {\"labels\": {\"zone\": \"a\"}}")
	}
	var out []LabelRequirement
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		r, err := parseLabel(key, labels[key])
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func parseLabel(key string, raw json.RawMessage) (LabelRequirement, error) {
	var equal string
	if string(raw) != "null" && json.Unmarshal(raw, &equal) == nil {
		return LabelRequirement{Key: key, In: []string{equal}}, nil
	}
	var op struct {
		In     []string `json:"in"`
		Exists *bool    `json:"exists"`
	}
	var names map[string]json.RawMessage
	if json.Unmarshal(raw, &op) == nil && json.Unmarshal(raw, &names) == nil && len(names) == 1 {
		switch {
		case len(op.In) > 0:
			return LabelRequirement{Key: key, In: slices.Compact(slices.Sorted(slices.Values(op.In)))}, nil
		case op.Exists != nil:
			return LabelRequirement{Key: key, Absent: !*op.Exists}, nil
		}
	}
	return LabelRequirement{}, fmt.Errorf(
		"preference.labels.%s must be a string, {\"in\": [\"a\", ...]} or {\"exists\": true|false}", key)
}
