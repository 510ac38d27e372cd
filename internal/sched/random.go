package sched

import "math/bits"

// dice is the randomness of one decision: the generator SplitMix64.
type dice uint64

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a number from 0 to n-1. That some of them are likelier than
// others by n in 2^64 cannot be noticed.
func (d *dice) below(n int) int {
	high, _ := bits.Mul64(d.next(), uint64(n))
	return int(high)
}

// random is the strategy randomly-pick. All that are left have the same chance
// of being next; the others that it names are those that joined after the
// chosen one. A score is the load with the debit, which it did not look at.
type random struct{ byPlace }

func (x random) choose(t *tier, seed uint64, out *picks) {
	d := dice(seed)
	set := x.bits(t)
	x.inTurn(set, set.at(d.below(set.count)), out)
	for i := range out.list[:out.n] {
		out.list[i].score = out.list[i].seat.score().Float()
	}
}

// twoChoices is the strategy two-choices. The others that it names are those
// that it drew or remembered and did not take.
type twoChoices struct{ byPlace }

func (x twoChoices) choose(t *tier, seed uint64, out *picks) {
	set := x.bits(t)
	k := draw(seed, set.count)
	out.rank(x.seat(set.at(k[0])))
	out.rank(x.seat(set.at(k[1])))
	if x.spare != nil && set.has(x.spare.ord) {
		out.rank(x.spare.seat())
	}
	x.spare = nil
	if out.n > 1 {
		x.spare = out.list[1].worker
	}
}

// draw returns two different numbers below n, or twice the same if n is 1.
func draw(seed uint64, n int) [2]int {
	d := dice(seed)
	first := d.below(n)
	if n == 1 {
		return [2]int{first, first}
	}
	second := d.below(n - 1)
	if second >= first {
		second++
	}
	return [2]int{first, second}
}

// rank adds a worker that is not among the picks yet, keeping them in the order
// of load and debit, and of joining.
func (k *picks) rank(s *seat) {
	at := 0
	for i, other := range k.list[:k.n] {
		if other.seat == s {
			return
		}
		if other.seat.before(s) {
			at = i + 1
		}
	}
	copy(k.list[at+1:], k.list[at:k.n])
	k.list[at] = pick{s, s.score().Float()}
	k.n++
}

// before reports whether two-choices takes s rather than other: it has less load
// and debit, or as much and joined first.
func (s *seat) before(other *seat) bool {
	a, b := s.score(), other.score()
	return a < b || a == b && s.worker.ord < other.worker.ord
}
