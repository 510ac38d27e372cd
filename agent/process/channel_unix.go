//go:build unix

package process

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// channel is Node's channel between processes: a pair of connected sockets,
// with one JSON value a line.
type channel struct{ conn net.Conn }

func newChannel() (*channel, error) { return &channel{}, nil }

func (c *channel) prepare(cmd *exec.Cmd) ([]*os.File, error) {
	ours, childs, err := socketPair()
	if err != nil {
		return nil, err
	}
	c.conn, err = net.FileConn(ours)
	_ = ours.Close() // conn has a copy
	if err != nil {
		return []*os.File{childs}, err
	}
	cmd.Env = append(cmd.Env,
		"NODE_CHANNEL_FD="+strconv.Itoa(firstExtra+len(cmd.ExtraFiles)), "NODE_CHANNEL_SERIALIZATION_MODE=json")
	cmd.ExtraFiles = append(cmd.ExtraFiles, childs)
	return []*os.File{childs}, nil
}

// socketPair makes two sockets that no child inherits by accident.
func socketPair() (ours, childs *os.File, err error) {
	syscall.ForkLock.RLock() // not every system can open and mark them in one step
	defer syscall.ForkLock.RUnlock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
	}
	return os.NewFile(uintptr(fds[0]), "channel"), os.NewFile(uintptr(fds[1]), "channel of the node"), nil
}

func (c *channel) listen(_ *node, say func(saying)) { hearOWT(c.conn, say) }

// close leaves time to read what is there. The end follows at once, unless a process
// outside the node holds the other side.
func (c *channel) close() { _ = c.conn.SetReadDeadline(time.Now().Add(time.Second)) }

func (c *channel) release() { _ = c.conn.Close() }
