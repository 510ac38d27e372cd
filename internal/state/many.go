package state

// scheduleMany is the operation ScheduleMany. The tasks are decided in their
// order, each one exactly as a Schedule of its own: a refusal of one changes
// nothing for the next.
func (s *State) scheduleMany(op ScheduleMany, seed uint64) Result {
	results := make([]Result, len(op.Tasks))
	for i, task := range op.Tasks {
		results[i] = s.schedule(task, nthSeed(seed, i))
	}
	return Result{Many: results}
}

// nthSeed is the randomness of the i-th decision of a command that makes
// several. The first has the command's own. Strategies hash what they are given,
// so the seeds need only differ: they are multiples of an odd number apart.
func nthSeed(seed uint64, i int) uint64 { return seed + uint64(i)*0xd1342543de82ef95 }

func (ScheduleMany) number() byte { return opScheduleMany }

func (op ScheduleMany) encode(w writer) {
	w.Uint(uint64(len(op.Tasks)))
	for _, task := range op.Tasks {
		task.encode(w)
	}
}

func decodeScheduleMany(r reader) Op {
	op := ScheduleMany{}
	for n := r.Count(); n > 0 && !r.Bad(); n-- {
		op.Tasks = append(op.Tasks, decodeSchedule(r).(Schedule))
	}
	return op
}

func (op ScheduleMany) apply(s *State, seed uint64) Result { return s.scheduleMany(op, seed) }
