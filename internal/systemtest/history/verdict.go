package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Verdict is what a cluster did to its callers.
type Verdict struct {
	// Calls is how many there were, Unanswered those without an answer
	// within the caller's time-out, Refused those that a manager refused,
	// Forgotten the tasks that were placed by an answer and are unknown at the
	// end.
	Calls, Unanswered, Refused, Forgotten int
	// Doubled is the tasks for which there were answers with two workers, or
	// an answer with another worker than there is at the end.
	Doubled int
	// Problems are one of each kind.
	Problems []string
}

// Lost is what a caller has to call a loss.
func (v Verdict) Lost() int { return v.Unanswered + v.Forgotten }

func (v *Verdict) note(count *int, format string, args ...any) {
	if *count++; *count == 1 {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

// Judge holds the calls against each other, and against where the tasks are at
// the end. No reservation must have ended meanwhile.
func Judge(calls []Call, final map[string]string) Verdict {
	v := Verdict{Calls: len(calls)}
	placed := map[string]string{}
	doubled := map[string]bool{}
	for _, c := range calls {
		switch {
		case c.Refused():
			v.note(&v.Refused, "refused: %s at %v: %v", c.Task, c.Start, c.Err)
		case !c.Answered():
			v.note(&v.Unanswered, "not answered: %s at %v: %v", c.Task, c.Start, c.Err)
		case c.Worker != "" && placed[c.Task] == "":
			placed[c.Task] = c.Worker
		case c.Worker != "" && placed[c.Task] != c.Worker && !doubled[c.Task]:
			doubled[c.Task] = true
			v.note(&v.Doubled, "doubled: %s at %v on %s, before on %s", c.Task, c.Start, c.Worker, placed[c.Task])
		}
	}
	for task, worker := range placed {
		switch now := final[task]; {
		case now == "":
			v.note(&v.Forgotten, "forgotten: %s, answered with %s", task, worker)
		case now != worker && !doubled[task]:
			v.note(&v.Doubled, "doubled: %s is on %s in the end, answered with %s", task, now, worker)
		}
	}
	return v
}

// Placed is the tasks for which there was a worker.
func Placed(calls []Call) []string {
	var tasks []string
	for _, c := range calls {
		if c.Worker != "" {
			tasks = append(tasks, c.Task)
		}
	}
	slices.Sort(tasks)
	return slices.Compact(tasks)
}

// Gap is the longest time between an answer and the next one, of all such times
// that have a part between from and to. At least it is what lies between two
// answers when nothing happens.
func Gap(calls []Call, from, to time.Duration) time.Duration {
	var answers []time.Duration
	for _, c := range calls {
		if c.Answered() {
			answers = append(answers, c.End)
		}
	}
	slices.SortFunc(answers, cmp.Compare[time.Duration])
	longest := time.Duration(0)
	for i := 1; i < len(answers); i++ {
		if answers[i] >= from && answers[i-1] <= to {
			longest = max(longest, answers[i]-answers[i-1])
		}
	}
	return longest
}
