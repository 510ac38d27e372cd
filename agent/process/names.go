package process

import (
	"fmt"
	"strings"
)

// longestName leaves room for what files add to a node's name.
const longestName = 200

// validName reports whether a name can be that of a file in any of the host's
// directories: no path, not hidden, nothing that a terminal would obey.
func validName(name string) bool {
	return name != "" && len(name) <= longestName && name[0] != '.' &&
		!strings.ContainsFunc(name, func(r rune) bool { return !nameRune(r) })
}

func nameRune(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-_.@:%+", r)
}

func nameError(name string) error {
	return fmt.Errorf("%.60q is no name: use 1 to %d letters, digits and -_.@:%%+, not beginning with a dot", name, longestName)
}
