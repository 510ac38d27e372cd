package state

import "math/bits"

// lasts is how long the tasks of a purpose ran, as a histogram whose buckets are
// a quarter of an octave wide: 0.25 s to half a year in 400 bytes. Old figures
// fade: at lastsMax tasks all counts are halved.
type lasts struct {
	counts [lastsBuckets]uint32
	n      uint32
}

const (
	lastsBuckets = 104
	lastsMax     = 4096
	// lastsUnit is the width of the first buckets as a power of two, in
	// milliseconds: 256.
	lastsUnit = 8
	// lastsEnough is from how many tasks on the histogram says anything.
	lastsEnough = 8
)

// bucketOf returns the bucket of a time in milliseconds.
func bucketOf(millis int64) int {
	v := uint64(max(millis, 0)) >> lastsUnit
	if v < 4 {
		return int(v)
	}
	octave := bits.Len64(v) - 3
	return min(octave*4+int(v>>octave), lastsBuckets-1)
}

// lower returns the shortest time of a bucket, in milliseconds.
func lower(bucket int) int64 {
	if bucket < 8 {
		return int64(bucket) << lastsUnit
	}
	octave := bucket/4 - 1
	return int64(bucket%4+4) << octave << lastsUnit
}

// observe takes in a task that ended.
func (l *lasts) observe(millis int64) {
	l.counts[bucketOf(millis)]++
	l.n++
	if l.n < lastsMax {
		return
	}
	l.n = 0
	for i := range l.counts {
		l.counts[i] /= 2
		l.n += l.counts[i]
	}
}

// rest returns within how many milliseconds that share of the tasks end which
// have run for age, -1 where too few ended to say. Where none ran as long as
// age, it is as long again.
func (l *lasts) rest(age int64, share float64) int64 {
	if l.n < lastsEnough {
		return -1
	}
	first := bucketOf(age)
	var longer uint32
	for _, n := range l.counts[first:] {
		longer += n
	}
	if longer == 0 {
		return age
	}
	wanted := share * float64(longer)
	var seen uint32
	for i := first; i < lastsBuckets; i++ {
		seen += l.counts[i]
		if float64(seen) >= wanted {
			return max(lower(i+1)-age, 0)
		}
	}
	return lower(lastsBuckets) - age
}

// lasts writes the buckets up to the last that is not empty.
func (w writer) lasts(l *lasts) {
	end := len(l.counts)
	for end > 0 && l.counts[end-1] == 0 {
		end--
	}
	w.Uint(uint64(end))
	for _, n := range l.counts[:end] {
		w.Uint(uint64(n))
	}
}

func (r reader) lasts() (l lasts) {
	end := r.Count()
	if r.Check(end <= lastsBuckets); r.Bad() {
		return lasts{}
	}
	for i := range end {
		n := r.Uint()
		r.Check(n < lastsMax)
		if r.Bad() {
			return lasts{}
		}
		l.counts[i] = uint32(n)
		l.n += uint32(n)
	}
	r.Check(l.n < lastsMax && (end == 0 || l.counts[end-1] != 0))
	return l
}
