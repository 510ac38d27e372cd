package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
)

// newRootCmd returns the command line for args, and a flag that is set as soon as a
// command has begun: what goes wrong before that is a matter of usage.
func newRootCmd(args []string) (root *cobra.Command, began *bool) {
	root = &cobra.Command{
		Use:   "muster",
		Short: "Place real-time media tasks on a fleet of workers",
		Long: `Muster knows which workers of a media fleet are alive and how loaded they are,
and places every task (a WebRTC session, a mixer, a recording) on one of them.

Start with a whole cluster on this machine:  muster up
Exit status: 0 done, 1 refused (the reason is on stderr), 2 used wrongly.`,
		Example: `  muster up                          # a message queue, a manager and four workers
  muster workers                     # who is there, and how loaded
  muster schedule webrtc room-1      # place a task
  muster why webrtc room-1           # why there
  muster run video --each 'in/*.mp4' --spec ladder.json   # transcode a directory over the fleet`,
		Args:          cli.NoSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,

		SuggestionsMinimumDistance: 2,
	}
	root.SetVersionTemplate(versionLine() + "\n")
	groupFlags(root)
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run:"},
		&cobra.Group{ID: groupAsk, Title: "Ask and place:"},
		&cobra.Group{ID: groupOperate, Title: "Operate:"},
		&cobra.Group{ID: groupWork, Title: "Have work done:"},
		&cobra.Group{ID: groupRooms, Title: "Rooms:"},
	)
	for _, v := range asked(args) {
		cmd := v.make()
		cmd.GroupID = v.group
		root.AddCommand(cmd)
	}
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		completions(root)
	}
	began = new(bool)
	cli.MarkBegun(root, began)
	return root, began
}

const (
	groupRun  = "run"
	groupAsk  = "ask"
	groupWork = "work"

	groupOperate = "operate"
	groupRooms   = "rooms"
)

// verb is a command of muster, under the name that its make gives it.
type verb struct {
	group, name string
	make        func() *cobra.Command
}

// verbs are in the order of the help.
var verbs = []verb{
	{groupRun, "up", newUpCmd},
	{groupRun, "manager", newManagerCmd},
	{groupRun, "worker", newWorkerCmd},
	{groupRun, "agent", newAgentCmd},
	{groupRun, "portal", newPortalCmd},
	{groupRun, "web", newWebCmd},
	{groupAsk, "status", newStatusCmd},
	{groupAsk, "managers", newManagersCmd},
	{groupAsk, "workers", newWorkersCmd},
	{groupAsk, "tasks", newTasksCmd},
	{groupAsk, "schedule", newScheduleCmd},
	{groupAsk, "unschedule", newUnscheduleCmd},
	{groupAsk, "why", newWhyCmd},
	{groupAsk, "watch", newWatchCmd},
	{groupAsk, "top", newTopCmd},
	{groupOperate, "drain", newDrainCmd},
	{groupOperate, "drains", newDrainsCmd},
	{groupOperate, "undrain", newUndrainCmd},
	{groupOperate, "cordon", newCordonCmd},
	{groupOperate, "uncordon", newUncordonCmd},
	{groupOperate, "strategy", newStrategyCmd},
	{groupOperate, "audit", newAuditCmd},
	{groupWork, "run", newRunCmd},
	{groupWork, "jobs", newJobsCmd},
	{groupWork, "wait", newWaitCmd},
	{groupWork, "task", newTaskCmd},
	{groupWork, "history", newHistoryCmd},
	{groupWork, "stop", newStopCmd},
	{groupWork, "nodes", newNodesCmd},
	{groupWork, "logs", newLogsCmd},
	{groupRooms, "token", newTokenCmd},
	{groupRooms, "rooms", newRoomsCmd},
	{groupRooms, "room", newRoomCmd},
	{"", "config", newConfigCmd},
	{"", "auth", newAuthCmd},
	{"", "openapi", newOpenAPICmd},
	{"", "bench", newBenchCmd},
	{"", "version", newVersionCmd},
	{"", "node", newNodeCmd},
	{"", "sfu", newSFUCmd},
	{"", "conference", newConferenceCmd},
}

// asked returns the verb that args begin with, or all verbs where they begin with
// something else: a shell script that calls one verb does not wait for fifty.
func asked(args []string) []verb {
	if len(args) > 0 {
		if i := slices.IndexFunc(verbs, func(v verb) bool { return v.name == args[0] }); i >= 0 {
			return verbs[i : i+1]
		}
	}
	return verbs
}
