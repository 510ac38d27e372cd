package docs

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	packageClause = regexp.MustCompile(`(?m)^package (\w+)`)
	testFunc      = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	testName      = regexp.MustCompile("`(\\w+\\.(?:Test|Fuzz)\\w+)`")
)

// TestPromises checks that every promise names a test, and that every test
// named in promises.md or CONTRIBUTING.md exists.
func TestPromises(t *testing.T) {
	page, err := os.ReadFile("promises.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := testsOf(t, root)
	for _, problem := range append(unheld(string(page), tests), unheld(string(guide), tests)...) {
		t.Error(problem)
	}
}

// TestUnheld plants the faults that TestPromises must find.
func TestUnheld(t *testing.T) {
	page := "| promise | held by |\n|---|---|\n| one | `a.TestOne` |\n| two | by hope |\n| three | `a.TestGone` |\n\n| other | table |\n|---|---|\n| x | y |\n`b.FuzzGone`\n"
	got := strings.Join(unheld(page, map[string]bool{"a.TestOne": true}), "; ")
	want := "no test holds: | two | by hope |; a.TestGone: no such test; b.FuzzGone: no such test"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// unheld lists the promises without a test and the tests that do not exist.
func unheld(page string, tests map[string]bool) []string {
	var found []string
	promises := false
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		names := testName.FindAllStringSubmatch(line, -1)
		switch {
		case !strings.HasPrefix(line, "|"):
			promises = false
		case strings.HasSuffix(line, "| held by |"):
			promises = true
		case promises && len(names) == 0 && !strings.HasPrefix(line, "|--"):
			found = append(found, "no test holds: "+line)
		}
		for _, name := range names {
			if !tests[name[1]] {
				found = append(found, name[1]+": no such test")
			}
		}
	}
	return found
}

// testsOf returns the tests and fuzz targets of the repository, as package.Name.
func testsOf(t *testing.T, root string) map[string]bool {
	t.Helper()
	out, err := exec.Command("git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	for _, file := range strings.Fields(string(out)) {
		raw, err := fs.ReadFile(os.DirFS(root), file)
		if os.IsNotExist(err) { // removed, and not committed yet
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		clause := packageClause.FindSubmatch(raw)
		if clause == nil {
			continue
		}
		for _, m := range testFunc.FindAllSubmatch(raw, -1) {
			tests[strings.TrimSuffix(string(clause[1]), "_test")+"."+string(m[1])] = true
		}
	}
	return tests
}
