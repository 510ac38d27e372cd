// Package systemtest holds what Muster promises against real faults: managers
// and workers are processes, the message queue is a process, and they are
// killed, stopped, cut off and replaced while calls are made.
//
// Every call is remembered. In the end the history is checked for
// linearizability, task by task: there is an order of the calls, each at some
// time between its beginning and its end, in which a task gets one worker and
// keeps it. So is where the tasks are in the end.
//
//	go test -v ./systemtest
//
// prints for each test the faults, the calls, those lost, the tasks doubled, and
// the longest time without an answer.
package systemtest
