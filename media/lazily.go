package media

import (
	"regexp"
	"sync"
)

// lazily compiles a pattern when it is first used: every verb of muster links this
// package, and most use no pattern of it.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
