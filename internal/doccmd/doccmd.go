// Package doccmd finds the shell commands on the pages of the repository, so that
// tests hold them to the programs.
package doccmd

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// Command is a command on a page.
type Command struct {
	// Page is its path from the root of the repository, and Line the whole line.
	Page, Line string
	// Argv is the command without assignments and redirections. What the shell would
	// put in is "1".
	Argv []string
}

// Name is the base name of the program.
func (c Command) Name() string { return filepath.Base(c.Argv[0]) }

// fenced is a block of shell, or a session whose commands stand after "$ ".
var fenced = regexp.MustCompile("(?ms)^ *```(sh|console|)\n(.*?)^ *```$")

// All lists the commands in the blocks of shell on all pages of the repository, whose
// root is the directory above the test's that has go.mod.
func All(t *testing.T) []Command {
	t.Helper()
	root := Root(t)
	out, err := exec.Command("git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "*.md").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []Command
	for _, page := range strings.Fields(string(out)) {
		text, err := os.ReadFile(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Page(t, page, string(text))...)
	}
	return all
}

// Root is the root of the repository.
func Root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Fatalf("no go.mod above this test: %v", err)
	return ""
}

// Page lists the commands of one page.
func Page(t *testing.T, page, text string) []Command {
	t.Helper()
	var all []Command
	for _, block := range fenced.FindAllStringSubmatch(text, -1) {
		script := block[2]
		if block[1] != "sh" {
			script = session(script)
		}
		all = append(all, commands(t, page, script)...)
	}
	return all
}

// session returns what was typed.
func session(text string) string {
	var typed strings.Builder
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "$ "); ok {
			typed.WriteString(rest + "\n")
		}
	}
	return typed.String()
}

func commands(t *testing.T, page, script string) []Command {
	file, err := syntax.NewParser().Parse(strings.NewReader(script), page)
	if err != nil {
		t.Errorf("%s: %v in\n%s", page, err, script)
		return nil
	}
	lines := strings.Split(script, "\n")
	substituted := &expand.Config{CmdSubst: func(w io.Writer, _ *syntax.CmdSubst) error {
		_, err := io.WriteString(w, "1")
		return err
	}, Env: expand.FuncEnviron(func(string) string { return "1" })}
	var all []Command
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		argv, err := expand.Fields(substituted, call.Args...)
		if err != nil {
			t.Errorf("%s: %v", page, err)
			return true
		}
		all = append(all, Command{Page: page, Line: lines[call.Pos().Line()-1], Argv: argv})
		return true
	})
	return all
}
