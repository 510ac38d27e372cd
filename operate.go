package muster

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Operator says who gave an order to the managers, and from where. Callers fill
// it in themselves; an HTTP server that knows its user does so for them.
type Operator struct {
	Name string `json:"name,omitempty"`
	From string `json:"from,omitempty"`
}

// Selector says which workers an order is for: those that meet every member that
// is set. An empty one selects none.
type Selector struct {
	Worker  string            `json:"worker,omitempty"`
	Purpose string            `json:"purpose,omitempty"`
	Region  string            `json:"region,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
}

// IsEmpty reports whether no member is set.
func (s Selector) IsEmpty() bool {
	return s.Worker == "" && s.Purpose == "" && s.Region == "" && len(s.Labels) == 0
}

// Equal reports whether both select by the same members.
func (s Selector) Equal(o Selector) bool {
	return s.Worker == o.Worker && s.Purpose == o.Purpose && s.Region == o.Region && maps.Equal(s.Labels, o.Labels)
}

// Matches reports whether a worker is selected.
func (s Selector) Matches(id, purpose string, info *Info) bool {
	if s.IsEmpty() || s.Worker != "" && s.Worker != id || s.Purpose != "" && s.Purpose != purpose {
		return false
	}
	if s.Region != "" && !slices.Contains(info.Capacity.Regions, s.Region) {
		return false
	}
	for key, value := range s.Labels {
		if have, ok := info.Labels[key]; !ok || have != value {
			return false
		}
	}
	return true
}

// String writes the selector as the flags of the command line have it, such as
// "worker-1" or "purpose=video gpu=t4".
func (s Selector) String() string {
	var parts []string
	if s.Worker != "" {
		parts = append(parts, s.Worker)
	}
	if s.Purpose != "" {
		parts = append(parts, "purpose="+s.Purpose)
	}
	if s.Region != "" {
		parts = append(parts, "region="+s.Region)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
		parts = append(parts, key+"="+s.Labels[key])
	}
	return strings.Join(parts, " ")
}

// Check returns what is out of bounds in a selector, naming the member.
func (s Selector) Check() error {
	if s.IsEmpty() {
		return fmt.Errorf("selector must have a worker, a purpose, a region or labels")
	}
	if err := checkTexts("selector", "worker", s.Worker, "purpose", s.Purpose, "region", s.Region); err != nil {
		return err
	}
	return checkLabels("selector", s.Labels)
}

// Check returns what is out of bounds, naming the member.
func (o Operator) Check() error {
	return checkTexts("operator", "name", o.Name, "from", o.From)
}

// AuditEntry is a write by an operator. Entries are numbered in the order in
// which they took effect.
type AuditEntry struct {
	Number uint64   `json:"number"`
	At     Instant  `json:"at"`
	By     Operator `json:"by"`
	// Action is the verb, such as "drain" or "strategy"; Target is what it was
	// done to.
	Action string `json:"action"`
	Target string `json:"target"`
	// Before and After describe what changed, in words or as JSON.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Loss is what an order would take from a purpose.
type Loss struct {
	Purpose string `json:"purpose"`
	// Workers is how many workers would take no more tasks, Running and Reserved
	// are the tasks that are on them.
	Workers  int `json:"workers"`
	Running  int `json:"running"`
	Reserved int `json:"reserved"`
}

func (l Loss) String() string {
	return fmt.Sprintf("purpose %s would have no worker left: %d would take no more tasks, with %d running and %d reserved tasks on them",
		l.Purpose, l.Workers, l.Running, l.Reserved)
}
