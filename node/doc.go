// Package node is for programs that do an agent's tasks: a node is a process
// (or a goroutine) that an agent starts, that serves the methods of its id on
// the bus, and that ends when the agent tells it to.
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
//	start({task, room, spec})  begins a task; "ok" once Check let the spec pass
//	stop(task)                 ends a task early; "ok" when it has ended
//	stats(task, wait)          a muster.TaskReport; with wait, {wait_ms}, when the task has ended or the time is over
//
// An error of Check with a method TaskCause() muster.Cause goes with the refusal
// of start (muster.TaskRefusal): with muster.CauseWorker another worker is asked.
//
// start may be repeated: a task that was started with the same spec is not
// started again. A task that has ended is told to the agent, which lays it
// down; its report stays readable for Options.Linger, so that whoever follows
// the task sees how it ended.
//
// # Events
//
// What a task has to tell while it runs (Task.Notify) is published on
// bus.TopicTasks under the key "<purpose>.event".
package node
