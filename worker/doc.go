// Package worker is for programs that take tasks: it joins a cluster, tells
// the manager how loaded the program is and which tasks it runs, and finds its
// way back when the manager or the message queue was away.
//
//	w, err := worker.Join(ctx, conn, worker.Options{
//		Purpose:  "recording",
//		Handlers: map[string]worker.Handler{"start": start, "stop": stop},
//	})
//
// A task reaches a worker in three steps: a caller asks the manager for a
// worker, then asks that worker by a method of the worker's own (see Handler),
// and the worker says with [Worker.AddTask] that it runs the task now. When
// the task is over it says so with [Worker.RemoveTask]. To leave, it waits
// with [Worker.Drain] until its tasks are over, and calls [Worker.Quit].
//
// # States
//
//	            answered                  Misses failed keep-alives,
//	          +----------+                or "whoareyou"
//	joining --+          +--> joined ----------------------> rejoining
//	   |                        ^                                |
//	   | JoinRetries            +--------------------------------+
//	   v                          answered "initializing": the tasks are
//	  failed                      picked up again; else they are dropped
//
// Calls that could not reach any manager, since the queue was away or nobody
// served the cluster's name, do not lead to rejoining: the worker goes on
// asking, and a manager that does not know it any more says so at once.
// OnLost reports that contact is lost in either case.
//
// Nothing that AddTask, RemoveTask, RejectTask and ReportState tell is lost
// with the connection: it is told again, in an order that gives the same
// result, as soon as the manager answers.
package worker
