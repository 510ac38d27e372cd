package raft

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

// A directory that is in use, one that cannot be written, and one on a
// read-only file system are different faults.
func TestDirectoryFaults(t *testing.T) {
	dir := t.TempDir()
	w := mustOpen(t, dir)
	defer mustClose(t, w)
	_, err := openWAL(dir)
	if err == nil || !strings.Contains(err.Error(), "in use by another manager") {
		t.Errorf("a directory that is in use: %v", err)
	}
	for cause, want := range map[error]string{
		syscall.EROFS:  "read-only file system",
		syscall.EACCES: "cannot be written by this user",
		syscall.EIO:    "input/output error",
	} {
		err := directoryFault("/data", &fs.PathError{Op: "open", Path: "/data/lock", Err: cause})
		if !errors.Is(err, cause) || !strings.Contains(fmt.Sprint(err), want) || strings.Contains(err.Error(), "in use") {
			t.Errorf("%v: %v", cause, err)
		}
	}
}
