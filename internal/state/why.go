package state

import "github.com/muster-fleet/muster"

// maxDecisions is how many explanations are kept.
const maxDecisions = 1 << 16

// decisionChunk is how many are allocated at once. A chunk stays where it is,
// so that pointers into it stay good.
const decisionChunk = 256

// decisions are the last decisions, a ring. It is memory of the process, not
// of the cluster: a snapshot does not hold it.
type decisions struct {
	chunks [][]decision
	made   int // ever
	limit  int // a multiple of decisionChunk
}

// decision is an explanation, and what the pools write it into.
type decision struct {
	muster.Explanation
	chosen muster.Candidate
	others [muster.MaxOthers]muster.Candidate
}

func (d *decisions) at(i int) *decision {
	i %= d.limit
	return &d.chunks[i/decisionChunk][i%decisionChunk]
}

// next returns an empty explanation, the oldest one when there are enough. Its
// Chosen and Others have room.
func (d *decisions) next() *muster.Explanation {
	if d.made < d.limit && d.made%decisionChunk == 0 {
		d.chunks = append(d.chunks, make([]decision, decisionChunk))
	}
	e := d.at(d.made)
	d.made++
	e.Explanation = muster.Explanation{Chosen: &e.chosen, Others: e.others[:0]}
	return &e.Explanation
}

// Why returns the explanation of the last decision on a task: of its placement,
// or of why it was not placed. It knows the last 65,536 decisions that this
// process made; a copy that is restored or folded knows none of before.
func (s *State) Why(purpose, task string) (muster.Explanation, bool) {
	d := &s.last
	for i := d.made - 1; i >= max(0, d.made-d.limit); i-- {
		if e := d.at(i); e.Task == task && e.Purpose == purpose {
			return e.copied(), true
		}
	}
	return muster.Explanation{}, false
}

// copied returns the explanation on its own, apart from the ring.
func (d *decision) copied() muster.Explanation {
	e := d.Explanation
	if e.Chosen != nil {
		chosen := d.chosen
		e.Chosen = &chosen
	}
	e.Others = append([]muster.Candidate(nil), e.Others...)
	return e
}
