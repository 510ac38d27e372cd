package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const dirSecrets = "secrets"

// WriteSecret keeps a text for nodes that must not stand in an environment or
// on a command line, which others may read. The file is readable by the
// host's own user alone, and is removed by Close.
func (h *Host) WriteSecret(name string, text []byte) (path string, err error) {
	return h.WriteSecretFor("", name, text)
}

// WriteSecretFor is WriteSecret for nodes that run as a user, who alone can read it;
// "" is the host's own. A directory of the host's may be out of that user's reach:
// the file is beside the sockets, and ends with them.
func (h *Host) WriteSecretFor(user, name string, text []byte) (path string, err error) {
	who, err := accountOf(user)
	if err != nil {
		return "", err
	}
	if !validName(name) {
		return "", fmt.Errorf("process: secret: %w", nameError(name))
	}
	path = h.path(dirSecrets, name)
	if who != nil {
		path = filepath.Join(h.sockets, "secret-"+name)
	}
	err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.RemoveAll(path))
	if err == nil {
		err = errors.Join(os.WriteFile(path, text, 0o600), who.own(path))
	}
	if err != nil {
		return "", fmt.Errorf("process: secret %s: %w", name, err)
	}
	return path, nil
}

func (h *Host) removeSecrets() error { return os.RemoveAll(h.path(dirSecrets)) }
