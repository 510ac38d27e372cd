// Package bench measures Muster: how fast the core decides (Place), and how
// close a manager on a message queue comes to what the queue itself can carry
// (RPC).
//
// Both aim at figures that survive a noisy machine. Place takes the cost of
// reading the clock out of what it measures. RPC measures a bare echo server
// on the same queue in slices that alternate with its own, so that whatever
// else the machine does falls on both; their ratio is the figure to look at.
package bench
