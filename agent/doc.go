// Package agent is a worker that runs nodes: processes that do the tasks. It
// keeps some idle nodes ready, hands them out to callers, ends them with their
// last task, and replaces those that crash.
//
//	a, err := agent.Start(ctx, conn, agent.Options{
//		Worker:   worker.Options{Purpose: "recording"},
//		Launcher: launcher,
//	})
//
// A [process.Launcher] starts the nodes: process.Host has those for OWT's
// Node.js nodes and for any program, [InProcess] makes one of a function.
// [Policy] says how many nodes there are and which tasks share one.
//
// # Methods
//
// They are served under the worker's ID. The first three are OWT's, word for
// word:
//
//	getNode({room, task, spec?})     the node for a task: its ID, which is its
//	                                 name on the bus
//	recycleNode(node, {room, task, result?})
//	                                 the task has ended: "ok"
//	queryNode(room)                  the node that has a task of the room
//	queryTask(task)                  a muster.TaskReport, also of one that ended
//	endedTasks(limit)                the reports of the last tasks that ended
//	listNodes()                      [muster.Node]
//	readLog({node, offset, limit})   a muster.LogPart
//	drain({lease_ms, end}?)          "ok": no new tasks from now on, or for that long
//	undrain()                        "ok": ends a drain with a lease
//	ping()                           "pong"
//
// spec, any JSON, is for nodes that are made for their task. result says how
// the task ended, for queryTask.
//
// Refusals of getNode: "Invalid task", "node not ready", "node early recycled",
// "No available node" (there are MaxNodes), "agent not ready" (it drains or
// ends). The detail of a refusal names the node and says why. readLog refuses
// with "Not found", the queries with "No such a task".
//
// # A node
//
//	         ready                  first task
//	starting -------> idle ---------------------------> busy
//	   |               |                                 |
//	   | ReadyTimeout  | more idle ones than Prerun      | last task ended
//	   v               v                                 v
//	 killed         stopping <---------------------------+
//
// In any state it may end by itself. With exit status 0 its tasks are done. Any
// other end is a crash: its tasks have failed, and "exit.abnormal" is published on
// bus.TopicMonitoring. Both are laid down, and a new idle node is started.
// Nodes that end before they did anything are followed by pauses that grow;
// after three in a row the agent reports muster.StateNotReady, tries one node
// at a time, and reports muster.StateReady when one lives.
//
// # Notices
//
// Beside exit.abnormal, every task that starts or ends is published on bus.TopicTasks.
package agent
