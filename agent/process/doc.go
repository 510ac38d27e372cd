// Package process runs nodes, the processes that do an agent's tasks, and keeps
// them in hand: it knows when a node is ready, that it is alive, and that
// nothing of it is left when it has ended.
//
// A [Host] owns a directory and the nodes that run from it. It has a [Launcher]
// for each kind of node: [Host.OWT] for OWT's own Node.js programs and
// [Host.Program] for any other, the caller's own binary included.
//
//	host, err := process.Open(process.Options{Dir: "/var/lib/muster/transcode", Agent: "transcode"})
//	if err != nil {
//		return err
//	}
//	defer host.Close()
//	launcher := host.Program(process.Command{Argv: []string{"ffmpeg", "-i", "{task}", "out.mp4"}})
//	node, err := launcher.Launch(ctx, process.Spec{ID: "transcode_1", Task: "in.mp4"})
//	if err != nil {
//		return err
//	}
//	<-node.Done()
//
// # What ends with a node
//
// A node is a session of its own (setsid). When its first process has ended,
// for whatever reason, everything that it started is killed before
// [Node].Done is closed: its session, and every process that carries its mark
// in the environment, also where it has made itself a daemon. Where the system
// lets the host make cgroups, the node is one, and nothing can leave it.
//
// A host that is killed itself leaves records; the next [Open] of the same
// directory ends what was left. docs/decisions/supervision.md has what holds
// on which system, and why.
//
// # What a program finds
//
// The environment of a node is that of the host, and:
//
//	MUSTER_NODE, MUSTER_AGENT, MUSTER_PURPOSE   whose node it is
//	MUSTER_TASK, MUSTER_ROOM                    where it was started for one task
//	MUSTER_SPEC                                 the task's input as JSON, up to 64 KiB
//	MUSTER_SPEC_FILE                            the same in a file, of any size
//	MUSTER_MARK                                 how the host knows its own; leave it alone
//	NOTIFY_SOCKET, WATCHDOG_USEC                where Command.Notify, Command.Watchdog are set
package process
