package rabbittest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// awaitHalt waits until every thread of the group has stopped, which happens shortly
// after SIGSTOP was sent.
func awaitHalt(group int) error {
	deadline := time.Now().Add(haltTime)
	for {
		moving, err := movingThreads(group)
		if err != nil || moving == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("rabbittest: %d threads of the broker still run %v after SIGSTOP", moving, haltTime)
		}
		time.Sleep(time.Millisecond)
	}
}

const haltTime = 5 * time.Second

// movingThreads counts the threads of the group that are not stopped.
func movingThreads(group int) (int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*/stat")
	moving := 0
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		// What follows the name, which is in brackets: state, parent, group.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && fields[0] != "T" && fields[0] != "Z" {
			moving++
		}
	}
	return moving, err
}
