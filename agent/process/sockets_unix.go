//go:build unix

package process

import (
	"errors"
	"os"
	"path/filepath"
)

// reachable reports whether every user may pass through a directory and those
// above it. Where the senders of messages are not known it does not matter:
// then only the agent's user may send any.
func reachable(dir string) bool {
	if socketDirMode&0o001 == 0 {
		return true
	}
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return true
	}
}

// longestSocket is how long the path of a socket may be on every system (104
// bytes on macOS, 108 on Linux, the end of the text included), without the
// file's own name.
const longestSocket = 80

// socketDir makes an empty directory for sockets: the one that is wanted, or
// one that is named after id, where the path is too long for sockets, or where
// a program that changes its user could not reach it.
func socketDir(wanted, id string) (string, error) {
	dir := wanted
	if len(dir) > longestSocket || !reachable(filepath.Dir(dir)) {
		dir = filepath.Join(os.TempDir(), "muster-"+id[:16])
	}
	if len(dir) > longestSocket {
		dir = filepath.Join("/tmp", filepath.Base(dir))
	}
	err := makeSocketDir(dir)
	if err != nil && dir != wanted && len(wanted) <= longestSocket {
		dir, err = wanted, makeSocketDir(wanted) // for programs that keep their user
	}
	return dir, err
}

// makeSocketDir makes the directory anew. The mode is set after that, whatever
// the umask takes away.
func makeSocketDir(dir string) error {
	return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700), os.Chmod(dir, socketDirMode))
}
