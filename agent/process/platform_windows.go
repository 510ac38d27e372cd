package process

import (
	"errors"
	"os"
	"os/exec"
	"time"
)

// On Windows a node is its first process. What that starts is its own affair.

type platform struct{}

func (h *Host) openRealm() error {
	h.opts.Logger.Warn("reduced supervision on this system: only the first process of a node is ended, without limits or search for orphans")
	return nil
}

func (h *Host) closeRealm()             {}
func (h *Host) endOrphans([]record) int { return 0 }

type processTree struct{ cmd *exec.Cmd }

func (k *processTree) record() record    { return record{PID: k.cmd.Process.Pid} }
func (k *processTree) ask(bool)          { k.strike() } // no other signals
func (k *processTree) strike()           { _ = k.cmd.Process.Kill() }
func (k *processTree) end()              {}
func (k *processTree) outOfMemory() bool { return false }

func (n *node) fork(*undo) error {
	var err error
	n.host.launcher.Do(func() { err = n.cmd.Start() })
	n.exit, n.processTree = exit{cmd: n.cmd, ended: new(error)}, processTree{n.cmd}
	return err
}

func socketDir(wanted, _ string) (string, error) {
	return wanted, errors.Join(os.RemoveAll(wanted), os.Mkdir(wanted, 0o700))
}

// absent is a notifyChannel that this system has no means for.
type absent struct{ silent }

var errAbsent = errors.New("Windows has no sd_notify and no inherited channel: only programs that say nothing can be nodes here")

func (absent) prepare(*exec.Cmd) ([]*os.File, error) { return nil, errAbsent }

func newChannel() (notifyChannel, error)              { return absent{}, nil }
func (h *Host) newNotify(time.Duration) notifyChannel { return absent{} }
