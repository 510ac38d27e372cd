// Package docs has no code: this test holds the pages to the repository.
package docs

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	// inline is a file or directory in backquotes: a slash within, no spaces.
	inline = regexp.MustCompile("`((?:agent|bus|client|cmd|config|docs|examples|findings|internal|job|media|node|scripts|testdata|worker)/[A-Za-z0-9_./-]*[A-Za-z0-9_])`")
	// source is the bare name of a Go file, in whichever directory.
	source = regexp.MustCompile("`([a-z0-9_]+\\.go)`")
)

// TestLinks follows every link and every path in backquotes of the
// repository's pages: a renamed file or heading shows here first.
func TestLinks(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "*.md").Output()
	if err != nil {
		t.Fatal(err)
	}
	pages := strings.Fields(string(out))
	if len(pages) < 20 {
		t.Fatalf("found %d pages, want at least 20: %q", len(pages), pages)
	}
	for _, page := range pages {
		for _, problem := range problems(os.DirFS(root), page) {
			t.Errorf("%s: %s", page, problem)
		}
	}
}

// TestProblems plants the faults that TestLinks is to find.
func TestProblems(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.md":      "# One\n[ok](b.md#two-words) [out](https://example.org) `docs/b.md` [gone](c.md) [no heading](b.md#three)\n`docs/gone.go` `gone.go`\n",
		"b.md":      "## Two `words`\n```\n[not a link](x.md)\n```\n",
		"docs/b.md": "[up](../a.md)\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := problems(os.DirFS(dir), "a.md")
	want := []string{"c.md: no such file", "b.md#three: no such heading", "docs/gone.go: no such file", "gone.go: no such file in any directory"}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("problems of a.md: %q, want %q", got, want)
	}
	for _, page := range []string{"b.md", "docs/b.md"} {
		if got := problems(os.DirFS(dir), page); len(got) > 0 {
			t.Errorf("problems of %s: %q, want none", page, got)
		}
	}
}

// problems lists the links and paths of a page that lead nowhere.
func problems(root fs.FS, page string) []string {
	raw, err := fs.ReadFile(root, page)
	if err != nil {
		return []string{err.Error()}
	}
	text := fence.ReplaceAllString(string(raw), "")
	var found []string
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if p := follow(root, page, m[1]); p != "" {
			found = append(found, m[1]+": "+p)
		}
	}
	for _, m := range inline.FindAllStringSubmatch(text, -1) {
		if !exists(root, m[1]) {
			found = append(found, m[1]+": no such file")
		}
	}
	for _, m := range source.FindAllStringSubmatch(text, -1) {
		if !anywhere(root, m[1]) {
			found = append(found, m[1]+": no such file in any directory")
		}
	}
	return found
}

func follow(root fs.FS, page, target string) string {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
		return ""
	}
	file, anchor, _ := strings.Cut(target, "#")
	if file == "" {
		file = page
	} else {
		file = path.Join(path.Dir(page), file)
	}
	if !exists(root, file) {
		return "no such file"
	}
	if anchor != "" && strings.HasSuffix(file, ".md") && !hasHeading(root, file, anchor) {
		return "no such heading"
	}
	return ""
}

func exists(root fs.FS, file string) bool {
	_, err := fs.Stat(root, path.Clean(file))
	return err == nil
}

// anywhere reports whether a directory of the tree holds a file of that name.
func anywhere(root fs.FS, name string) bool {
	found := false
	_ = fs.WalkDir(root, ".", func(_ string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git": // in a worktree it is a file
			return fs.SkipDir
		case d.Name() == name:
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found
}

var dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// hasHeading knows the anchors that hosts of Markdown make of headings.
func hasHeading(root fs.FS, file, anchor string) bool {
	raw, err := fs.ReadFile(root, file)
	if err != nil {
		return false
	}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(string(raw), ""), -1) {
		name := dropped.ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(name, " ", "-") == anchor {
			return true
		}
	}
	return false
}
