package sched

import "math/bits"

// bitset is a set of places in the join order that answers "who is next after
// this one" and "who is the k-th". Beside the words it keeps their counts as a
// Fenwick tree, so that both take a logarithm of the size.
type bitset struct {
	words []uint64
	tree  []int32 // tree[i] counts the words (i-lowbit(i), i]; from 1
	count int
}

// grow makes room for places below n.
func (b *bitset) grow(n int) {
	size := 1
	for size*64 < n {
		size *= 2
	}
	if size <= len(b.words) {
		return
	}
	b.words = append(b.words, make([]uint64, size-len(b.words))...)
	b.recount()
}

// recount makes the counts anew from the words.
func (b *bitset) recount() {
	b.tree = make([]int32, len(b.words)+1)
	b.count = 0
	for i, word := range b.words {
		n := bits.OnesCount64(word)
		b.count += n
		b.tree[i+1] += int32(n)
		if up := i + 1 + (i+1)&-(i+1); up < len(b.tree) {
			b.tree[up] += b.tree[i+1]
		}
	}
}

func (b *bitset) has(i int32) bool {
	word := int(i >> 6)
	return word < len(b.words) && b.words[word]&(1<<(i&63)) != 0
}

// set adds a place that is not in the set.
func (b *bitset) set(i int32) {
	b.grow(int(i) + 1)
	b.words[i>>6] |= 1 << (i & 63)
	b.add(int(i>>6), 1)
}

// unset removes a place that is in the set.
func (b *bitset) unset(i int32) {
	b.words[i>>6] &^= 1 << (i & 63)
	b.add(int(i>>6), -1)
}

func (b *bitset) add(word int, n int32) {
	b.count += int(n)
	for i := word + 1; i < len(b.tree); i += i & -i {
		b.tree[i] += n
	}
}

// rank counts the places before i.
func (b *bitset) rank(i int32) int {
	word := min(int(i>>6), len(b.words))
	n := 0
	for j := word; j > 0; j -= j & -j {
		n += int(b.tree[j])
	}
	if word < len(b.words) {
		n += bits.OnesCount64(b.words[word] & (1<<(i&63) - 1))
	}
	return n
}

// at returns the k-th place of the set, from 0. The set must have it.
func (b *bitset) at(k int) int32 {
	word := 0
	for step := len(b.words); step > 0; step /= 2 {
		if next := word + step; next < len(b.tree) && int(b.tree[next]) <= k {
			word = next
			k -= int(b.tree[next])
		}
	}
	return int32(word<<6 + selectBit(b.words[word], k))
}

// selectBit returns the k-th bit of a word that is set.
func selectBit(word uint64, k int) int {
	base := 0
	for width := 32; width > 0; width /= 2 {
		if low := bits.OnesCount64(word & (1<<width - 1)); low <= k {
			k -= low
			word >>= width
			base += width
		}
	}
	return base
}

// near is how many words are looked through before the tree is asked.
const near = 8

// after returns the first place at or after i, or else the first of all. The
// set must not be empty.
func (b *bitset) after(i int32) int32 {
	mask := ^uint64(0) << (i & 63)
	for word := int(i >> 6); word < min(int(i>>6)+near, len(b.words)); word++ {
		if rest := b.words[word] & mask; rest != 0 {
			return int32(word<<6 + bits.TrailingZeros64(rest))
		}
		mask = ^uint64(0)
	}
	k := b.rank(i)
	if k == b.count {
		k = 0
	}
	return b.at(k)
}
