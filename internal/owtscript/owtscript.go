// Package owtscript runs what an OWT directory brings along, in Node.js: the
// loader that completes agent.toml, and the reader of .owt.authstore. What they
// compute (codecs, algorithms, defaults of each version) is known to them alone.
package owtscript

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// AuthStore is the file in which OWT keeps the user and the password of the
// message queue.
const AuthStore = ".owt.authstore"

// runTime bounds a run. A loader of the video agent asks vainfo.
const runTime = 30 * time.Second

//go:embed load.js
var script string

// Loaded is what a loader makes of agent.toml.
type Loaded struct {
	// Config is the whole configuration as JSON.
	Config json.RawMessage `json:"config"`
	// Libraries is LD_LIBRARY_PATH as the loader left it, which its nodes need;
	// "" where it is not set.
	Libraries string `json:"libraries"`
}

// HasLoader reports whether the directory has a loader.
func HasLoader(dir string) bool {
	return exists(filepath.Join(dir, "configLoader.js")) || exists(filepath.Join(dir, "defaultConfigLoader.js"))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Load runs the loader of an agent's directory on a file, "" for the directory's
// own agent.toml.
func Load(ctx context.Context, dir, file string) (Loaded, error) {
	var loaded Loaded
	if file != "" {
		whole, err := filepath.Abs(file)
		if err != nil {
			return loaded, err
		}
		file = whole
	}
	out, err := run(ctx, dir, "config", file)
	if err == nil {
		err = json.Unmarshal(out, &loaded)
	}
	if err == nil && len(loaded.Config) == 0 {
		err = errors.New("it makes no configuration")
	}
	if err != nil {
		return loaded, fmt.Errorf("OWT's configuration loader in %s: %w", dir, err)
	}
	return loaded, nil
}

// Credentials returns the user and the password of the message queue from the
// directory's AuthStore, both "" where there is none, or none for RabbitMQ.
func Credentials(ctx context.Context, dir string) (user, password string, err error) {
	if !exists(filepath.Join(dir, AuthStore)) {
		return "", "", nil
	}
	out, err := run(ctx, dir, "credentials", "")
	var store struct {
		Rabbit struct{ Username, Password string }
	}
	if err == nil {
		err = json.Unmarshal(out, &store)
	}
	if err != nil {
		return "", "", fmt.Errorf("%s holds the queue's user and password, and cannot be read with OWT's cipher.js beside it (%w): "+
			"set MUSTER_BUS_USER and MUSTER_BUS_PASSWORD", filepath.Join(dir, AuthStore), err)
	}
	return store.Rabbit.Username, store.Rabbit.Password, nil
}

// run returns what the script hands over. What it prints is shown in the error,
// since a loader says there what is wrong with the file.
func run(ctx context.Context, dir, what, file string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = read.Close() }()
	var printed bytes.Buffer
	cmd := exec.CommandContext(ctx, "node", "-e", script, what, file)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = dir, io.Discard, &printed, []*os.File{write}
	cmd.WaitDelay = time.Second
	err = cmd.Start()
	_ = write.Close()
	if err != nil {
		return nil, err
	}
	if done, ok := ctx.Deadline(); ok {
		_ = read.SetReadDeadline(done.Add(time.Second))
	}
	out, err := io.ReadAll(read)
	if exit := cmd.Wait(); exit != nil {
		return nil, fmt.Errorf("%w: %s", exit, excerpt(printed.String()))
	}
	return out, err
}

// excerpt is the line that says what failed: an error of Node.js stands below
// the text of the program.
func excerpt(printed string) string {
	const most = 300
	for line := range strings.Lines(printed) {
		if strings.Contains(line, "rror") {
			printed = line
			break
		}
	}
	if printed = strings.TrimSpace(printed); len(printed) > most {
		printed = printed[:most] + "..."
	}
	return strings.ToValidUTF8(printed, "")
}
