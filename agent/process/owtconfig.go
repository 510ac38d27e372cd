package process

import (
	_ "embed"
	"errors"
	"os"
	"path/filepath"
	"strconv"
)

//go:embed owtconfig.js
var owtConfigScript []byte

const (
	owtConfigName = "owtconfig.js"
	varConfigFD   = "MUSTER_CONFIG_FD"
	// firstExtra is the first file that a program finds after standard input,
	// output and error.
	firstExtra = 3
)

// owtConfig is how a node of OWT gets its configuration: in a file that it
// inherits, from which a script of ours takes it before the node's own.
type owtConfig struct {
	script string
	file   *os.File
}

// passConfig writes a configuration that a node inherits. The file is already
// unlinked, so that no other process finds it.
func (h *Host) passConfig(text []byte) (c owtConfig, err error) {
	dir := h.path(dirSecrets)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return c, err
	}
	c.script = filepath.Join(dir, owtConfigName)
	h.writeScript.Do(func() { h.scriptErr = os.WriteFile(c.script, owtConfigScript, 0o600) })
	if h.scriptErr != nil {
		return c, h.scriptErr
	}
	written, err := os.CreateTemp(dir, "config-")
	if err != nil {
		return c, err
	}
	_, err = written.Write(text)
	if err == nil {
		c.file, err = os.Open(written.Name()) // from its beginning, and not for writing
	}
	return c, errors.Join(err, written.Close(), os.Remove(written.Name()))
}

// env says where the file is, which must be the first extra one.
func (owtConfig) env() string { return varConfigFD + "=" + strconv.Itoa(firstExtra) }
