// Package client asks a manager for workers, and workers for what they do.
//
//	c := client.New(conn, client.Options{})
//	p, err := c.Schedule(ctx, client.Request{Purpose: "webrtc", Task: "room-1"})
//	answer, err := c.Call(ctx, p.Worker, "getNode", args)
//
// # Trying again
//
// What is asked of a manager may be asked twice: a task that is placed already
// gets the worker that it has. So these calls are tried again, within the
// deadline of the caller's context or Options.Timeout, while the message queue
// is away, no manager serves the cluster's name, or a try goes unanswered. A
// caller sees a manager that fails over as one slow answer.
//
// What is asked of a worker may not be safe to repeat, and is sent once. Of
// its errors, bus.ErrNoServer says that it did not arrive; after the others
// (bus.ErrDisconnected, context.DeadlineExceeded) that is unknown.
//
// # Old answers
//
// Managers that have no quorum answer what only looks from the last state that
// they know, after a second; everything else waits. A caller that wants to know
// gives the call a context of bus.OnStale, which hears how old the state is.
//
// # Errors
//
// A refusal is one of the errors below under errors.Is, and a *bus.RemoteError,
// with the manager's words, under errors.As. A placement that found no worker
// is a *NoWorkerError, which says what excluded them.
package client
