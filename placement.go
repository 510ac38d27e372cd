package muster

import "encoding/json"

// Placement is a worker given to a task.
type Placement struct {
	Purpose string `json:"purpose"`
	Task    string `json:"task"`
	Worker  string `json:"worker"`
	// Info is what the worker said when it joined, unchanged.
	Info json.RawMessage `json:"info"`
	// Number is unique to this placement within the cluster: later
	// placements have higher numbers. A worker starts the task only while the
	// placement with this number is in force. 0 means that the manager gave
	// none, as OWT's does not.
	Number uint64 `json:"placement,omitempty"`
}

// Order asks the placement's worker for the task, in an agent's getNode and in
// a node's start. It carries the number, so that it is refused once the
// placement is no longer in force.
func (p Placement) Order(room string, spec json.RawMessage) TaskOrder {
	return TaskOrder{Room: room, Task: p.Task, Spec: spec, Placement: p.Number}
}

// Rule is something that excludes a worker from a placement. A worker that
// more than one rule excludes is counted under the first of them, in the order
// of the constants.
type Rule int

const (
	// RuleISP excludes workers that do not serve the wanted provider.
	RuleISP Rule = iota
	// RuleCodec excludes video workers that lack a wanted format, and
	// analytics workers that lack the wanted algorithm.
	RuleCodec
	// RuleLabel excludes workers whose labels do not meet a requirement.
	RuleLabel
	// RuleDraining excludes workers that are drained, RuleCordoned those that an
	// operator keeps new tasks from.
	RuleDraining
	RuleCordoned
	// RuleNotReady excludes workers that reported a state other than ready, or
	// that have not reported a load yet.
	RuleNotReady
	// RuleFull excludes workers whose load has reached their limit.
	RuleFull
	// RuleSlots excludes workers that hold as many tasks as they may.
	RuleSlots
	// RuleRegion excludes workers outside the wanted region where some
	// candidate is inside it.
	RuleRegion
	// NumRules is the number of rules.
	NumRules
)

var ruleNames = [NumRules]string{"isp", "codec", "label", "draining", "cordoned", "not_ready", "full", "slots", "region"}

func (r Rule) String() string { return ruleNames[r] }

// Excluded counts excluded workers by rule. In JSON it is an object that has
// the rules that excluded anyone.
type Excluded [NumRules]int

// MarshalJSON writes the counts that are not zero, by the rule's name.
func (e Excluded) MarshalJSON() ([]byte, error) {
	counts := map[string]int{}
	for r, n := range e {
		if n > 0 {
			counts[ruleNames[r]] = n
		}
	}
	return json.Marshal(counts)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Excluded) UnmarshalJSON(data []byte) error {
	var counts map[string]int
	if err := json.Unmarshal(data, &counts); err != nil {
		return err
	}
	*e = Excluded{}
	for r, name := range ruleNames {
		e[r] = counts[name]
	}
	return nil
}

// Candidate is a worker that could take a task, and how the strategy saw it.
type Candidate struct {
	Worker string `json:"worker"`
	// Load is what the worker reported, Debit what recent placements are
	// expected to add to it.
	Load  float64 `json:"load"`
	Debit float64 `json:"debit"`
	// Score is what the strategy compared: the load with the debit; for
	// weight-robin the credit; for round-robin and last-used the turn, 0 being
	// the worker whose turn it is.
	Score float64 `json:"score"`
}

// Departure is when and why a worker left the cluster.
type Departure struct {
	At     Instant     `json:"at"`
	Reason LeaveReason `json:"reason"`
}

// MaxOthers is how many of the candidates that were not chosen an explanation
// names.
const MaxOthers = 3

// Explanation is why a task was placed where it was, or nowhere.
type Explanation struct {
	Purpose  string   `json:"purpose"`
	Task     string   `json:"task"`
	At       Instant  `json:"at"`
	Strategy Strategy `json:"strategy"`
	// Workers is how many workers of the purpose there were, Excluded how many
	// of them each rule kept out, Candidates how many were left.
	Workers    int      `json:"workers"`
	Excluded   Excluded `json:"excluded"`
	Candidates int      `json:"candidates"`
	// Chosen is the worker that was taken, nil where none was.
	Chosen *Candidate `json:"chosen,omitempty"`
	// Gone says when the chosen worker left the cluster, where it did since.
	Gone *Departure `json:"gone,omitempty"`
	// Others are the best of the rest: whom the strategy would have taken had
	// the chosen one not been there, best first, at most MaxOthers.
	Others []Candidate `json:"others,omitempty"`
	// Ignored are the members of the preference that Muster does not know, and
	// that asked for nothing: see Preference.Ignored.
	Ignored []string `json:"ignored,omitempty"`
	// Reason is why no worker was taken, in OWT's words; empty where one was.
	Reason string `json:"reason,omitempty"`
}
