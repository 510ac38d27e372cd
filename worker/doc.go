// Package worker is for programs that take tasks: it joins a cluster, reports
// to the manager how loaded the program is and which tasks it runs, and rejoins
// after an outage of the manager or of the message queue.
//
//	w, err := worker.Join(ctx, conn, worker.Options{
//		Purpose:  "recording",
//		Handlers: map[string]worker.Handler{"start": start, "stop": stop},
//	})
//
// A task reaches a worker in three steps: a caller asks the manager for a
// worker, then asks that worker by a method of the worker's own (see Handler),
// and the worker says with [Worker.AddTask] that it runs the task now. When
// the task has ended it says so with [Worker.RemoveTask]. To leave, it waits
// with [Worker.Drain] until its tasks have ended, and calls [Worker.Quit].
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
// Calls that could not reach any manager, since the queue was away or no manager
// served the cluster's name, do not lead to rejoining: the worker goes on
// asking, and a manager that no longer knows it says so at once.
// OnLost reports that contact is lost in either case.
//
// No report of AddTask, RemoveTask, RejectTask and ReportState is lost with the
// connection: they are repeated, in an order that gives the same result, as soon
// as the manager answers.
package worker
