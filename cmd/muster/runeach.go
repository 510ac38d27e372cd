package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/internal/purposes"
	"github.com/muster-fleet/muster/job"
	"github.com/muster-fleet/muster/media"
)

// eachFile is a file that becomes a task.
type eachFile struct {
	File string `json:"file"`
	// Spec are members of the spec for this file alone.
	Spec map[string]any `json:"spec"`
}

func (r *runner) oneForEach(args []string, spec, preference json.RawMessage) ([]job.Job, error) {
	if len(args) != 1 {
		return nil, cli.Usagef("run --each takes PURPOSE alone: the tasks are named after the files; got %d arguments", len(args))
	}
	if !strings.Contains(string(spec), "{file}") {
		return nil, cli.Usagef("--spec does not have {file}, so that every task would do the same")
	}
	files, err := r.files()
	if err != nil {
		return nil, err
	}
	jobs, named := make([]job.Job, len(files)), map[string]bool{}
	for i, one := range files {
		if strings.HasPrefix(one.File, "-") { // never an option of what reads it
			one.File = "./" + one.File
		}
		if named[one.File] {
			return nil, cli.Usagef("--list names %s twice", one.File)
		}
		named[one.File] = true
		own, err := specFor(spec, r.each, one)
		if err != nil {
			return nil, err
		}
		if own, err = fromHere(args[0], own); err != nil {
			return nil, err
		}
		wants, err := needLabels(preference, own)
		if err != nil {
			return nil, err
		}
		jobs[i] = job.Job{Purpose: args[0], Task: one.File, Room: r.room, Spec: own, Preference: wants}
	}
	return jobs, collision(jobs)
}

// files are those of --each or --list.
func (r *runner) files() ([]eachFile, error) {
	if r.list != "" {
		return r.listed()
	}
	paths, err := doublestar.FilepathGlob(r.each, doublestar.WithFilesOnly())
	if err != nil {
		return nil, cli.Usagef("--each: %q is no pattern: %v", r.each, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("--each: no file fits %q: put the pattern in quotes, so that the shell leaves it alone", r.each)
	}
	slices.Sort(paths)
	files := make([]eachFile, len(paths))
	for i, path := range paths {
		files[i].File = path
	}
	return files, nil
}

// listed reads --list: a path or a JSON object on each line.
func (r *runner) listed() ([]eachFile, error) {
	var text []byte
	var err error
	if r.list == "-" {
		text, err = io.ReadAll(r.stdin)
	} else {
		text, err = os.ReadFile(r.list)
	}
	if err != nil {
		return nil, fmt.Errorf("--list: %w", err)
	}
	var files []eachFile
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, muster.MaxSpec)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), "\r")
		one := eachFile{File: line}
		if strings.HasPrefix(line, "{") {
			one = eachFile{}
			if err := json.Unmarshal([]byte(line), &one); err != nil || one.File == "" {
				return nil, cli.Usagef(`--list: line %d is no object {"file": ..., "spec": {...}}: %s`, n, line)
			}
		}
		if strings.TrimSpace(line) != "" {
			files = append(files, one)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--list: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("--list: there is no file in %s", r.list)
	}
	return files, nil
}

// specFor puts a file's names in the place of the words in braces, in every
// string of the spec.
func specFor(spec json.RawMessage, pattern string, one eachFile) (json.RawMessage, error) {
	var tree any
	if err := json.Unmarshal(spec, &tree); err != nil {
		return nil, err
	}
	if len(one.Spec) > 0 {
		members, is := tree.(map[string]any)
		if !is {
			return nil, cli.Usagef("--spec must be an object where --list has members of it")
		}
		maps.Copy(members, one.Spec)
	}
	return json.Marshal(eachString(tree, fileWords(pattern, one.File).Replace))
}

// dirOf is the directory of a file, which is never an option either.
func dirOf(file string) string {
	dir := filepath.Dir(file)
	if strings.HasPrefix(dir, "-") {
		return "./" + dir
	}
	return dir
}

func eachString(tree any, f func(string) string) any {
	switch v := tree.(type) {
	case string:
		return f(v)
	case []any:
		for i := range v {
			v[i] = eachString(v[i], f)
		}
	case map[string]any:
		for key := range v {
			v[key] = eachString(v[key], f)
		}
	}
	return tree
}

// fileWords are the words in braces that stand for a file that fits a pattern,
// or for one of a list, where there is no pattern.
func fileWords(pattern, file string) *strings.Replacer {
	ext := filepath.Ext(file)
	fixed := ""
	if i := strings.IndexAny(pattern, `*?[{`); i >= 0 {
		fixed = filepath.Dir(pattern[:i] + "x")
	} else if pattern != "" {
		fixed = filepath.Dir(pattern)
	}
	relative := file
	if fixed != "" {
		var err error
		if relative, err = filepath.Rel(fixed, file); err != nil {
			relative = filepath.Base(file)
		}
	}
	relative = strings.TrimLeft(strings.TrimPrefix(relative, "mount:"), string(filepath.Separator))
	return strings.NewReplacer("{file}", file, "{stem}", strings.TrimSuffix(filepath.Base(file), ext), "{ext}", strings.TrimPrefix(ext, "."),
		"{dir}", dirOf(file), "{relpath}", strings.TrimSuffix(relative, ext))
}

// collision finds two tasks of media that would write one file: the second
// would overwrite the first, or take its result for its own.
func collision(jobs []job.Job) error {
	taken := map[string]string{}
	for _, j := range jobs {
		kind := purposes.Of(j.Purpose).Media
		if kind == "" {
			return nil
		}
		for _, path := range media.Outputs(kind, j.Spec) {
			if other, is := taken[path]; is {
				return cli.Usagef("--spec: %s and %s would both write %s: put {relpath}, {dir} or {ext} into the output", other, j.Task, path)
			}
			taken[path] = j.Task
		}
	}
	return nil
}
