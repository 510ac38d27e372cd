package media

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/muster-fleet/muster"
)

// mountScheme begins the name of a file in a mount, as mount:films/a.mp4.
const mountScheme = "mount"

var mountName = lazily(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// MountLabel is the label of workers that see a mount.
func MountLabel(name string) string { return "mount." + name }

// CheckMount says what is wrong with the name or the directory of a mount.
func CheckMount(name, dir string) error {
	switch {
	case !mountName().MatchString(name):
		return fmt.Errorf("the name %q must be up to 64 letters, digits, dots, dashes and underscores", name)
	case !filepath.IsAbs(dir):
		return fmt.Errorf("the directory of %s must be an absolute path, not %q", name, dir)
	}
	return nil
}

// Mounts are the names of the mounts in which a spec has files, sorted.
func Mounts(spec json.RawMessage) []string {
	var tree any
	if json.Unmarshal(spec, &tree) != nil {
		return nil
	}
	var names []string
	walk(tree, func(text string) {
		if rest, is := strings.CutPrefix(text, mountScheme+":"); is {
			name, _, _ := strings.Cut(rest, "/")
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return slices.Compact(names)
}

func walk(tree any, visit func(string)) {
	switch v := tree.(type) {
	case string:
		visit(v)
	case []any:
		for _, one := range v {
			walk(one, visit)
		}
	case map[string]any:
		for _, one := range v {
			walk(one, visit)
		}
	}
}

// mounted is a file in a mount, which may not lie outside of it.
func (o Options) mounted(field, name string) (place, error) {
	mount, path, _ := strings.Cut(name[len(mountScheme)+1:], "/")
	dir, known := o.Mounts[mount]
	if !known {
		return place{}, caused(fault(field, "%q: this worker has no mount %q: give its agent --mount %s=DIR", name, mount, mount), muster.CauseWorker)
	}
	return Options{Root: dir, mount: true}.path(field, filepath.Join(dir, path))
}
