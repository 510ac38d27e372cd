package rabbittest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Erlang looks for a module in one directory after the other. RabbitMQ comes with
// some 70 of them, most of which are plugins that no test uses, and a start asks for
// tens of thousands of files that do not exist. A broker therefore has a home of its
// own, which leads to the same files without those plugins, and looks first where
// most modules are: a start takes a third less processor time.

// applications are looked through first: those of RabbitMQ and of Erlang from
// which most modules are loaded.
var applications = []string{
	"rabbit", "rabbit_common", "ssl", "inets", "compiler", "ra", "xmerl", "mnesia", "cuttlefish", "rabbitmq_prelaunch", "sasl", "ranch",
}

const erlangLibraries = "/usr/lib/erlang/lib"

// lean makes the home of a broker whose script is at path, and returns the
// directory of its scripts and the directories to look through first. It returns
// nothing where RabbitMQ is not laid out as in its own packages.
func lean(path, home string) (scripts string, first []string, err error) {
	script, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", nil, err
	}
	installed := filepath.Dir(filepath.Dir(script))
	plugins, err := filepath.Glob(filepath.Join(installed, "plugins", "*-*"))
	if err != nil || len(plugins) == 0 {
		return "", nil, err
	}
	if err := os.MkdirAll(filepath.Join(home, "plugins"), 0o700); err != nil {
		return "", nil, err
	}
	for _, name := range []string{"sbin", "escript"} {
		if err := os.Symlink(filepath.Join(installed, name), filepath.Join(home, name)); err != nil {
			return "", nil, err
		}
	}
	for _, plugin := range plugins {
		name := filepath.Base(plugin)
		if strings.HasPrefix(name, "rabbitmq_") && !strings.HasPrefix(name, "rabbitmq_prelaunch-") {
			continue
		}
		if err := os.Symlink(plugin, filepath.Join(home, "plugins", name)); err != nil {
			return "", nil, err
		}
	}
	for _, name := range applications {
		for _, root := range []string{filepath.Join(home, "plugins"), erlangLibraries} {
			// A version begins with a digit.
			found, _ := filepath.Glob(filepath.Join(root, fmt.Sprintf("%s-[0-9]*", name), "ebin"))
			first = append(first, found...)
		}
	}
	return filepath.Join(home, "sbin"), first, nil
}
