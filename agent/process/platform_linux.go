package process

import (
	"math"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/muster-fleet/muster/agent/process/internal/cgroup"
	"github.com/muster-fleet/muster/agent/process/internal/proctab"
)

// platform is how the host recognises its processes: by control groups
// where it may make them, by their marks and sessions where not.
type platform struct {
	procScan procScan
	// group has a group for every node. It is nil where there are none.
	group *cgroup.Group
	boot  string
}

func (h *Host) openRealm() error {
	self, err := proctab.Read(os.Getpid())
	if err != nil {
		return err
	}
	h.keepDescriptors()
	h.platform.boot = proctab.Boot()
	h.platform.procScan.since = self.Start
	return nil
}

// keepDescriptors marks inherited descriptors close-on-exec, so that nodes do
// not inherit them: Go marks only those that it opens itself.
func (h *Host) keepDescriptors() {
	const firstOther = 3 // after standard input, output and error
	err := unix.CloseRange(firstOther, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	if err != nil {
		h.opts.Logger.Debug("nodes inherit descriptors that the agent inherited (Linux before 5.11)", "err", err)
	}
}

// openGroups is called once orphans are gone, which may be in the group.
func (h *Host) openGroups() {
	if h.opts.NoCgroups {
		h.noGroups("Options.NoCgroups is set")
		return
	}
	own, err := cgroup.Own()
	if err != nil {
		h.noGroups(err.Error())
		return
	}
	h.removeEarlier(own)
	group, err := own.Make(h.groupName())
	if err != nil {
		h.noGroups(err.Error())
		return
	}
	h.platform.group = &group
	if !h.opts.Limits.some() {
		return
	}
	if err := own.Delegate(group); err != nil {
		h.opts.Logger.Warn("limits do not hold: the machine does not allow control groups with limits", "err", err)
		h.opts.Limits = Limits{}
	}
}

// groupName is one that no other agent has, and that people understand.
func (h *Host) groupName() string { return groupPrefix + h.opts.Agent + h.groupSuffix() }

const groupPrefix = "muster-"

// groupSuffix is that of all hosts of this directory.
func (h *Host) groupSuffix() string { return "-" + h.id[:8] }

// removeEarlier removes the groups of hosts that were killed, whatever their
// agents were called. Orphans are gone: one that is not empty is not ours, and
// cannot be removed.
func (h *Host) removeEarlier(own cgroup.Group) {
	for _, g := range own.Groups() {
		name := filepath.Base(g.Dir())
		if strings.HasPrefix(name, groupPrefix) && strings.HasSuffix(name, h.groupSuffix()) {
			_ = g.Remove()
		}
	}
}

// noGroups says once why there are no groups, and whether that matters.
func (h *Host) noGroups(reason string) {
	h.platform.group = nil
	if h.opts.Limits.some() {
		h.opts.Logger.Warn("limits do not hold: nodes have no control groups", "reason", reason)
		h.opts.Limits = Limits{}
		return
	}
	h.opts.Logger.Info("nodes have no control groups: their processes are identified by sessions and marks", "reason", reason)
}

func (h *Host) closeRealm() {
	if h.platform.group == nil {
		return
	}
	if err := h.platform.group.Remove(); err != nil {
		h.opts.Logger.Warn("control group not removed", "err", err)
	}
}
