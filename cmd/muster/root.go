package main

import (
	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/internal/cli"
)

// newRootCmd returns the command line, and a flag that is set as soon as a
// command has begun: what goes wrong before that is a matter of usage.
func newRootCmd() (root *cobra.Command, began *bool) {
	root = &cobra.Command{
		Use:   "muster",
		Short: "Place real-time media tasks on a fleet of workers",
		Long: `Muster knows which workers of a media fleet are alive and how loaded they are,
and places every task (a WebRTC session, a mixer, a recording) on one of them.

Start with a whole cluster on this machine:  muster up
Exit status: 0 done, 1 refused (the reason is on stderr), 2 used wrongly.`,
		Example: `  muster up                          # a message queue, a manager and three workers
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
	root.AddCommand(inGroup(groupRun, newUpCmd(), newManagerCmd(), newWorkerCmd(), newAgentCmd(), newPortalCmd(), newWebCmd())...)
	root.AddCommand(inGroup(groupAsk,
		newStatusCmd(), newManagersCmd(), newWorkersCmd(), newTasksCmd(), newScheduleCmd(), newUnscheduleCmd(), newWhyCmd(),
		newWatchCmd(), newTopCmd())...)
	root.AddCommand(inGroup(groupOperate,
		newDrainCmd(), newDrainsCmd(), newUndrainCmd(), newCordonCmd(), newUncordonCmd(), newStrategyCmd(), newAuditCmd())...)
	root.AddCommand(inGroup(groupWork, newRunCmd(), newJobsCmd(), newWaitCmd(), newTaskCmd(), newHistoryCmd(), newStopCmd(), newNodesCmd(), newLogsCmd())...)
	root.AddCommand(inGroup(groupRooms, newTokenCmd(), newRoomsCmd(), newRoomCmd())...)
	root.AddCommand(newConfigCmd(), newAuthCmd(), newOpenAPICmd(), newBenchCmd(), newVersionCmd(), newNodeCmd(), newSFUCmd(), newConferenceCmd())
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

func inGroup(id string, commands ...*cobra.Command) []*cobra.Command {
	for _, c := range commands {
		c.GroupID = id
	}
	return commands
}
