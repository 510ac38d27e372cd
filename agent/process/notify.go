package process

import (
	"errors"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// understandNotify reads a message of systemd's sd_notify protocol, which is
// lines "NAME=value" (sd_notify(3)). Names that mean nothing here are left out:
// MAINPID among them, since a node is all its processes. Readiness comes last:
// who waits for it finds what came with it.
func understandNotify(message string) []saying {
	var all, ready []saying
	for line := range strings.SplitSeq(message, "\n") {
		name, value, _ := strings.Cut(line, "=")
		switch s, ok := understandVariable(name, value); {
		case ok && s.word == saysReady:
			ready = []saying{s}
		case ok:
			all = append(all, s)
		}
	}
	return append(all, ready...)
}

func understandVariable(name, value string) (saying, bool) {
	switch name {
	case "READY":
		return saying{word: saysReady}, value == "1"
	case "STOPPING":
		return saying{word: saysStopping}, value == "1"
	case "STATUS":
		return saying{word: saysStatus, text: printable(value)}, true
	case "ERRNO":
		number, err := strconv.ParseUint(value, 10, 16)
		return saying{word: saysErrno, errno: syscall.Errno(number)}, err == nil
	case "WATCHDOG":
		if value == "trigger" {
			return saying{word: saysFault, err: errors.New("reports a fault (WATCHDOG=trigger)")}, true
		}
		return saying{word: saysAlive}, value == "1"
	case "WATCHDOG_USEC":
		t, ok := microseconds(value)
		return saying{word: saysWatchdog, time: t}, ok
	case "EXTEND_TIMEOUT_USEC":
		t, ok := microseconds(value)
		return saying{word: saysMoreTime, time: t}, ok
	}
	return saying{}, false
}

// mostMicroseconds is a year: more is a mistake, and must not overflow.
const mostMicroseconds = 365 * 24 * 3600 * 1e6

func microseconds(value string) (time.Duration, bool) {
	n, err := strconv.ParseInt(value, 10, 64)
	return time.Duration(n) * time.Microsecond, err == nil && n > 0 && n <= mostMicroseconds
}
