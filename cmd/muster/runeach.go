package main

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/muster-fleet/muster/internal/cli"
	"github.com/muster-fleet/muster/job"
	"github.com/muster-fleet/muster/media"
)

// fileWords are the words in braces that stand for a file that fits a pattern.
func fileWords(pattern, file string) *strings.Replacer {
	ext := filepath.Ext(file)
	fixed := pattern
	if i := strings.IndexAny(pattern, `*?[`); i >= 0 {
		fixed = filepath.Dir(pattern[:i] + "x")
	} else {
		fixed = filepath.Dir(pattern)
	}
	relative, err := filepath.Rel(fixed, file)
	if err != nil {
		relative = filepath.Base(file)
	}
	return strings.NewReplacer("{file}", file, "{stem}", strings.TrimSuffix(filepath.Base(file), ext), "{ext}", strings.TrimPrefix(ext, "."),
		"{dir}", dirOf(file), "{relpath}", strings.TrimSuffix(relative, ext))
}

// collision finds two tasks of media that would write one file: the second
// would overwrite the first, or take its result for its own.
func collision(jobs []job.Job) error {
	taken := map[string]string{}
	for _, j := range jobs {
		kind := mediaKind(j.Purpose)
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

// warning is one of media's.
type warning struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// read takes what the table shows out of what a node said last.
func (r *result) read(detail json.RawMessage) {
	var d struct {
		Kept     bool      `json:"kept"`
		Warnings []warning `json:"warnings"`
	}
	if json.Unmarshal(detail, &d) != nil {
		return
	}
	r.Warnings = d.Warnings
	if d.Kept {
		r.Result = "kept"
	}
}

// named are the names of the warnings.
func (r *result) named() string {
	names := make([]string, len(r.Warnings))
	for i, w := range r.Warnings {
		names[i] = w.Name
	}
	return strings.Join(names, ",")
}
