// Package node is for programs that run an agent's tasks. A node is a process (or
// a goroutine) that an agent starts and stops, and that serves methods under its
// id on the bus.
//
//	type recorder struct{}
//
//	func (recorder) Check(spec json.RawMessage) error             { ... }
//	func (recorder) Do(ctx context.Context, t *node.Task) error   { ... }
//
//	func main() { node.Main(recorder{}, node.Options{}) }
//
// Run it with `muster agent --purpose recording --notify -- ./recorder`.
//
// # Methods
//
//	start({task, room, spec})  starts a task; "ok" once Check accepted the spec
//	stop(task)                 ends a task early; "ok" when it has ended
//	stats(task, wait)          a muster.TaskReport; with wait, {wait_ms}, when the task has ended or the time has passed
//
// If an error of Check has a method TaskCause() muster.Cause, the cause is part of
// the refusal of start (muster.TaskRefusal): with muster.CauseWorker another
// worker is asked.
//
// start may be repeated: a task that was started with the same spec is not
// started again. The node reports an ended task to the agent, which lays it down.
// The task's report stays readable for Options.Linger, so that callers that follow
// the task see how it ended.
//
// # Events
//
// Events of a running task (Task.Notify) are published on bus.TopicTasks under the
// key "<purpose>.event".
package node
