package state

import "hash/maphash"

// taskTable finds tasks by purpose and name. It does what a map of strings does,
// and less of it: a task keeps its hash, so that it is looked up, put in and
// taken out with one hash, and a name is compared only where the hashes are
// equal. What a look-up of one among many tasks costs is waiting for memory, and
// a slot is 16 bytes.
//
// It is divided into shards that grow one by one, so that no single placement
// waits for the whole table to grow. Hashes differ between processes, so that
// callers cannot make up names that collide; nothing depends on their order.
type taskTable struct {
	seed   maphash.Seed
	shards [taskShards]taskShard
}

// taskShards is how many shards there are, firstSlots the slots of one that has
// a task. Both are powers of two.
const (
	taskShards = 256
	firstSlots = 8
)

// taskShard is a hash table with linear probing, at most three quarters full.
type taskShard struct {
	slots []taskSlot
	n     int
}

type taskSlot struct {
	task *task // nil: empty
	hash uint32
}

func newTaskTable() *taskTable { return &taskTable{seed: maphash.MakeSeed()} }

// hash is that of a task of the purpose.
func (h *taskTable) hash(p *purpose, name string) uint32 {
	sum := maphash.String(h.seed, name)
	return uint32(sum^sum>>32) ^ p.salt
}

func (h *taskTable) shard(hash uint32) *taskShard { return &h.shards[hash%taskShards] }

// start is where a search for the hash begins.
func (s *taskShard) start(hash uint32) int { return int(hash/taskShards) & (len(s.slots) - 1) }

// find returns the task of that purpose and name, nil where there is none.
func (h *taskTable) find(hash uint32, p *purpose, name string) *task {
	s := h.shard(hash)
	if s.n == 0 {
		return nil
	}
	for i := s.start(hash); s.slots[i].task != nil; i = (i + 1) & (len(s.slots) - 1) {
		if slot := &s.slots[i]; slot.hash == hash && slot.task.name == name && slot.task.worker.purpose == p {
			return slot.task
		}
	}
	return nil
}

// put adds a task, which must not be there, under its hash.
func (h *taskTable) put(t *task) {
	s := h.shard(t.hash)
	if s.n++; 4*s.n > 3*len(s.slots) {
		s.grow()
	}
	s.place(taskSlot{t, t.hash})
}

func (s *taskShard) place(slot taskSlot) {
	i := s.start(slot.hash)
	for s.slots[i].task != nil {
		i = (i + 1) & (len(s.slots) - 1)
	}
	s.slots[i] = slot
}

func (s *taskShard) grow() {
	old := s.slots
	s.slots = make([]taskSlot, max(2*len(old), firstSlots))
	for _, slot := range old {
		if slot.task != nil {
			s.place(slot)
		}
	}
}

// remove takes out a task that is there. Those behind it move up, so that no
// search ends too early at the place where it was.
func (h *taskTable) remove(t *task) {
	s := h.shard(t.hash)
	s.n--
	mask := len(s.slots) - 1
	free := s.start(t.hash)
	for s.slots[free].task != t {
		free = (free + 1) & mask
	}
	for i := (free + 1) & mask; s.slots[i].task != nil; i = (i + 1) & mask {
		if from := s.start(s.slots[i].hash); (i-from)&mask >= (i-free)&mask {
			s.slots[free] = s.slots[i]
			free = i
		}
	}
	s.slots[free] = taskSlot{}
	s.shrink()
}

// shrink gives memory back where most of it is empty: a burst of tasks must not
// cost it for ever.
func (s *taskShard) shrink() {
	if len(s.slots) <= 8*firstSlots || 16*s.n > len(s.slots) {
		return
	}
	old := s.slots
	s.slots = make([]taskSlot, len(old)/4)
	for _, slot := range old {
		if slot.task != nil {
			s.place(slot)
		}
	}
}
