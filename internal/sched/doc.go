// Package sched places tasks on the workers of one purpose: which workers may
// take a task (matching), which of those does (a strategy), and why.
//
// A Pool is a value without clock, goroutine, I/O or randomness of its own.
// Two pools with the same calls in the same order decide alike.
//
// A decision never looks at every worker. Workers that no requirement so far
// could tell apart form a class, a requirement has a view that lists the
// classes that it matches, and the strategy in force keeps the one index that
// it needs:
//
//	least-used, most-used                   a heap a class
//	weight-robin                            heaps a class, one a weight
//	round-robin, last-used, randomly-pick,
//	two-choices                             a bit set a view
//
// A burst between two load reports spreads evenly with least-used, round-robin,
// weight-robin and two-choices, thanks to the debit. last-used and most-used put
// as much of it on one worker as that can take, which is what they are for, and
// randomly-pick leaves the spread to chance.
//
// Classes, views and indexes are caches: dropping them changes no answer.
package sched
