package media

import (
	"encoding/json"
	"path/filepath"
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
	rebased, err := json.Marshal(members)
	if err == nil && string(own) != string(spec) {
		rebased, err = json.Marshal(map[string]json.RawMessage{kind: rebased})
	}
	if err != nil {
		return spec
	}
	return rebased
}

// rebase makes the path in a member absolute.
func rebase(members map[string]json.RawMessage, name, dir string) {
	var path string
	if json.Unmarshal(members[name], &path) != nil || path == "" || strings.HasPrefix(path, "-") || filepath.IsAbs(path) || schemeOf().MatchString(path) {
		return
	}
	members[name], _ = json.Marshal(filepath.Join(dir, path)) // a string can be encoded
}
