package media

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// FromDir returns a spec whose relative paths count from a directory, as those do
// that people write: a worker has a directory of its own. URLs, mounts and what is
// no spec stay as they are. standard is the kind of work where the spec names none
// (see NewAny).
func FromDir(standard string, spec json.RawMessage, dir string) json.RawMessage {
	rebased, err := withPaths(standard, spec, func(_, _, path string) (string, error) {
		if path == "" || strings.HasPrefix(path, "-") || filepath.IsAbs(path) || schemeOf().MatchString(path) {
			return path, nil
		}
		return filepath.Join(dir, path), nil
	})
	if err != nil {
		return spec
	}
	return rebased
}

// Stager gives URLs to files that workers do not see.
type Stager interface {
	// Input is the URL of a file to read, Output of one to write.
	Input(path string) (string, error)
	Output(path string, replace bool) string
}

// Stage returns a spec with URLs in the place of its absolute paths. What is
// written while the task runs, as a recording, cannot be staged. standard is as in
// FromDir.
func Stage(standard string, spec json.RawMessage, by Stager) (json.RawMessage, error) {
	_, own := anyKind{kinds: kindNames(), standard: standard}.split(spec)
	var s struct {
		Existing Existing `json:"existing"`
	}
	_ = json.Unmarshal(own, &s) // the worker says what is wrong with it
	return withPaths(standard, spec, func(kind, member, path string) (string, error) {
		switch {
		case !filepath.IsAbs(path):
			return path, nil
		case member != "output":
			return by.Input(path)
		case !slices.Contains(stagedKinds, kind):
			return "", fault("output", "cannot be staged, since %s writes it while it runs: give a place that the worker sees", kind)
		}
		return by.Output(path, s.Existing == Replace || s.Existing == Keep), nil
	})
}

// withPaths returns a spec with other paths of its inputs and its output: change is
// called with the kind of work, and with each path and the member that has it.
func withPaths(standard string, spec json.RawMessage, change func(kind, member, path string) (string, error)) (json.RawMessage, error) {
	kind, own := anyKind{kinds: kindNames(), standard: standard}.split(spec)
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(own, &members); err != nil {
		return nil, fmt.Errorf("stage: the spec is no object: %w", err)
	}
	var errs []error
	replace := func(members map[string]json.RawMessage, member string) {
		var path string
		if json.Unmarshal(members[member], &path) != nil {
			return // the worker says what is wrong with it
		}
		text, err := change(kind, member, path)
		if err == nil {
			members[member], err = json.Marshal(text)
		}
		errs = append(errs, err)
	}
	replace(members, "input")
	var inputs []map[string]json.RawMessage
	if json.Unmarshal(members["inputs"], &inputs) == nil && len(inputs) > 0 {
		for _, in := range inputs {
			replace(in, "url")
		}
		members["inputs"], _ = json.Marshal(inputs) // of what was JSON just now
	}
	replace(members, "output")
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	text, err := json.Marshal(members)
	if err == nil && string(own) != string(spec) { // it named its kind
		return json.Marshal(map[string]json.RawMessage{kind: text})
	}
	return text, err
}
