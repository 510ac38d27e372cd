// Package simtest runs a whole cluster in one goroutine: managers, workers,
// callers and the queue between them, with virtual time, and with faults that
// are drawn from a seed. The same seed gives the same history, byte for byte.
//
// # What is real, and what is a model
//
// Real, the same code as in production: raft.Core and raft.Applier, state.Apply,
// the manager's core, in the steps that a running manager makes (manager.Stepped),
// and the worker's side of the protocol (worker.Stepped). Models: the network, the
// disks, the clocks, the queue (RabbitMQ as Muster uses it: it holds a request
// until it is dealt with, and hands it to another manager when the connection
// is lost), and the callers.
//
//	caller ─┐                       ┌─▶ manager ◀─ raft, with loss,
//	worker ─┼─ conn ─▶ broker ─ conn ┼─▶ manager ◀─ doubles and delays
//	worker ─┘   (in order, or broken)└─▶ manager ◀─▶ disk
//
// # What is checked
//
// At every step: a term has one leader; what was answered is in every later
// leader; states at the same index are equal; a task is on one worker; a
// placement never exceeds max_tasks; who answers leads as far as it can know, or
// says that the answer is stale; no call is held for ever; and each answer was true
// at some time between its call and its arrival. At the end, when all faults are
// over: a manager leads, every worker is back, what workers run is what the state
// says, every call ends, and the callers' own history is linearizable.
//
// Stories in testdata tell the main cases in a small language: see Story.
package simtest
