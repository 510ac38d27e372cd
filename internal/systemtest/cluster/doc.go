// Package cluster runs the managers of a cluster as processes, and does to them
// what happens to processes and networks: they are killed, stopped, cut off,
// ended in good order, and replaced.
//
// It is what `musterbench failover` and the system tests have in common.
package cluster
