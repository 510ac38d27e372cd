package process

import (
	"errors"
	"net"
	"syscall"
)

// Every user may reach the socket of a node, which may change its user before it
// sends anything. The kernel names the sender of each message, and only messages of
// the node's own processes count.
const (
	socketDirMode = 0o711
	socketMode    = 0o777
)

// askForSenders has the kernel say with each message who has sent it.
func askForSenders(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1)
	})
	return errors.Join(err, failed)
}

// sender is the process that has sent a message, in the kernel's own words.
// Number 0 is one of a process outside this container.
func sender(control []syscall.SocketControlMessage) (pid int, known bool) {
	for _, c := range control {
		if who, err := syscall.ParseUnixCredentials(&c); err == nil {
			return int(who.Pid), true
		}
	}
	return 0, true // none of the node's
}
