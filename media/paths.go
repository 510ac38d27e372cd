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
	kind, own := anyKind{kinds: kindNames(), standard: standard}.split(spec)
	members := map[string]json.RawMessage{}
	if json.Unmarshal(own, &members) != nil {
		return spec
	}
	rebase(members, "input", dir)
	rebase(members, "output", dir)
	var inputs []map[string]json.RawMessage
	if json.Unmarshal(members["inputs"], &inputs) == nil && len(inputs) > 0 {
		for _, in := range inputs {
			rebase(in, "url", dir)
		}
		members["inputs"], _ = json.Marshal(inputs) // of what was JSON just now
	}
	rebased, err := rewrapped(kind, spec, own, members)
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
	kind, own := anyKind{kinds: kindNames(), standard: standard}.split(spec)
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(own, &members); err != nil {
		return nil, fmt.Errorf("stage: the spec is no object: %w", err)
	}
	var existing Existing
	_ = json.Unmarshal(members["existing"], &existing) // the worker says what is wrong with it
	stagedPath := func(members map[string]json.RawMessage, name string, url func(string) (string, error)) error {
		var path string
		if json.Unmarshal(members[name], &path) != nil || !filepath.IsAbs(path) {
			return nil
		}
		text, err := url(path)
		if err == nil {
			members[name], err = json.Marshal(text)
		}
		return err
	}
	err := stagedPath(members, "input", by.Input)
	var inputs []map[string]json.RawMessage
	if json.Unmarshal(members["inputs"], &inputs) == nil && len(inputs) > 0 {
		for _, in := range inputs {
			err = errors.Join(err, stagedPath(in, "url", by.Input))
		}
		members["inputs"], _ = json.Marshal(inputs) // of what was JSON just now
	}
	err = errors.Join(err, stagedPath(members, "output", func(path string) (string, error) {
		if !slices.Contains(stagedKinds, kind) {
			return "", fault("output", "cannot be staged, since %s writes it while it runs: give a place that the worker sees", kind)
		}
		return by.Output(path, existing == Replace || existing == Keep), nil
	}))
	if err != nil {
		return nil, err
	}
	return rewrapped(kind, spec, own, members)
}

// rewrapped is a spec with other members, in the form that it had.
func rewrapped(kind string, spec, own json.RawMessage, members map[string]json.RawMessage) (json.RawMessage, error) {
	text, err := json.Marshal(members)
	if err == nil && string(own) != string(spec) {
		return json.Marshal(map[string]json.RawMessage{kind: text})
	}
	return text, err
}

// rebase makes the path in a member absolute.
func rebase(members map[string]json.RawMessage, name, dir string) {
	var path string
	if json.Unmarshal(members[name], &path) != nil || path == "" || strings.HasPrefix(path, "-") || filepath.IsAbs(path) || schemeOf().MatchString(path) {
		return
	}
	members[name], _ = json.Marshal(filepath.Join(dir, path)) // a string can be encoded
}
