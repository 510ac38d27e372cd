package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestTroubleshooting: every message on the page of troubleshooting stands in the
// code, in one text.
func TestTroubleshooting(t *testing.T) {
	page, err := os.ReadFile("troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := textsOf(t, "..")
	messages := messagesOn(string(page))
	if len(messages) < 30 {
		t.Errorf("found %d messages, want at least 30", len(messages))
	}
	for _, m := range messages {
		if !said(texts, m) {
			t.Errorf("no program says %q", m)
		}
	}
}

// TestSaid plants the faults that TestTroubleshooting is to find.
func TestSaid(t *testing.T) {
	texts := []string{"nothing answers at %s: %s there", "node crashed"}
	for m, want := range map[string]bool{"nothing answers at …": true, "node crashed": true, "node crashes": false, "there … nothing": false} {
		if said(texts, m) != want {
			t.Errorf("%q: want %v", m, want)
		}
	}
	if got := messagesOn("| message | what |\n|---|---|\n| `a b` | `c` |\n"); len(got) != 1 || got[0] != "a b" {
		t.Errorf("got %q", got)
	}
}

var messageCell = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")

func messagesOn(page string) []string {
	var out []string
	for _, m := range messageCell.FindAllStringSubmatch(page, -1) {
		out = append(out, m[1])
	}
	return out
}

// said reports whether one of the texts has the parts of a message in their order.
func said(texts []string, message string) bool {
	for _, text := range texts {
		rest, all := text, true
		for part := range strings.SplitSeq(message, "…") {
			at := strings.Index(rest, strings.TrimSpace(part))
			if at < 0 {
				all = false
				break
			}
			rest = rest[at+len(strings.TrimSpace(part)):]
		}
		if all {
			return true
		}
	}
	return false
}

var literal = regexp.MustCompile("\"(?:[^\"\\\\\n]|\\\\.)*\"")

// textsOf lists the texts in Go files that are not tests.
func textsOf(t *testing.T, root string) []string {
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		for _, quoted := range literal.FindAllString(string(raw), -1) {
			if text, err := strconv.Unquote(quoted); err == nil {
				out = append(out, text)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
