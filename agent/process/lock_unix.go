//go:build unix

package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockFile takes a lock that ends with this process, however that ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		_ = f.Close()
		return nil, fmt.Errorf("%w (process %s): give each a directory of its own, or end that one",
			ErrTaken, orText(strings.TrimSpace(string(holder)), "unknown"))
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// longestSocket is how long the path of a socket may be on every system (104
// bytes on macOS, 108 on Linux, the end of the text included), without the
// file's own name.
const longestSocket = 80

// socketDir makes an empty directory for sockets that nobody else can enter:
// the one that is wanted, or where its path is too long for sockets, one that
// is named after id.
func socketDir(wanted, id string) (string, error) {
	dir := wanted
	if len(dir) > longestSocket {
		dir = filepath.Join(os.TempDir(), "muster-"+id[:16])
	}
	if len(dir) > longestSocket {
		dir = filepath.Join("/tmp", filepath.Base(dir))
	}
	return dir, errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700))
}
