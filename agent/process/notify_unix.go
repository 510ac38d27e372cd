//go:build unix

package process

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// notify is the socket on which a node reports its state (sd_notify).
type notify struct {
	path     string
	watchdog time.Duration
	// last is the message that ends listening, which only this process knows.
	last string
	conn *net.UnixConn
}

func (h *Host) newNotify(watchdog time.Duration) *notify {
	name := strconv.FormatInt(h.count.Add(1), 10)
	return &notify{path: filepath.Join(h.sockets, name), watchdog: watchdog, last: nonce(16)}
}

func (v *notify) prepare(cmd *exec.Cmd) ([]*os.File, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: v.path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	err = askForSenders(conn)
	if err == nil {
		err = os.Chmod(v.path, socketMode)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	v.conn = conn
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+v.path)
	if v.watchdog > 0 {
		cmd.Env = append(cmd.Env, "WATCHDOG_USEC="+strconv.FormatInt(v.watchdog.Microseconds(), 10))
	}
	return nil, nil
}

// Sizes of what a message may have: text, and beside it credentials and a few
// descriptors. What is more is cut off.
const (
	longestMessage = 8 << 10
	besides        = 512
)

func (v *notify) listen(n *node, say func(saying)) {
	text, beside := make([]byte, longestMessage), make([]byte, besides)
	for {
		size, extra, _, _, err := v.conn.ReadMsgUnix(text, beside)
		if err != nil {
			return // close has given up
		}
		control, _ := syscall.ParseSocketControlMessage(beside[:extra])
		message := string(text[:size])
		if message == v.last {
			closeDescriptors(control)
			return
		}
		if pid, known := sender(control); !known || n.processTree.has(pid) {
			for _, s := range understandNotify(message) {
				say(s)
			}
		} else {
			n.log.Debug("notification ignored: the sender is no process of the node", "node", n.spec.ID, "pid", pid)
		}
		// A sender waits for this (BARRIER=1) to know that it was heard: until
		// then it must be alive, or its node could not be identified.
		closeDescriptors(control)
	}
}

// closeDescriptors closes what was sent along.
func closeDescriptors(control []syscall.SocketControlMessage) {
	for _, c := range control {
		fds, err := syscall.ParseUnixRights(&c)
		if err != nil {
			continue // other control
		}
		for _, fd := range fds {
			_ = syscall.Close(fd)
		}
	}
}

// close sends listen the last message: all that the node has sent is heard
// before.
func (v *notify) close() {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: v.path, Net: "unixgram"})
	if err == nil {
		_, err = conn.Write([]byte(v.last))
		_ = conn.Close()
	}
	if err != nil { // the node has removed the socket
		_ = v.conn.SetReadDeadline(time.Now())
	}
}

func (v *notify) release() {
	_ = v.conn.Close()
	_ = os.Remove(v.path)
}
