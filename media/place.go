package media

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/muster-fleet/muster"
)

// place is where media are read from or written to: a file, or a URL.
type place struct {
	// scheme is that of a URL, in small letters, "" for a file.
	scheme string
	// name is the URL, or the absolute path of the file: it never begins with a
	// dash, and ffmpeg takes no protocol from it.
	name string
	// fenced is set where Options.Root is.
	fenced bool
	// stall is after how long without data a URL counts as broken; 0 is
	// defaultStall.
	stall time.Duration
}

func (p place) file() bool { return p.scheme == "" }

// network are the schemes that may be read. What else ffmpeg has (concat:,
// pipe:, subfile: and so on) would let a caller of the bus read any file.
var network = []string{"http", "https", "rtmp", "rtmps", "rtmpt", "rtp", "rtsp", "rtsps", "srt", "tcp", "udp"}

// schemeOf finds the scheme of a URL; one letter is a drive of Windows.
var schemeOf = lazily(`^([A-Za-z][A-Za-z0-9+.-]+):`)

// place checks what a caller gives as the name of a file or as a URL.
func (o Options) place(field, name string, schemes []string) (place, error) {
	switch {
	case name == "":
		return place{}, fault(field, "is missing: give a file or a URL")
	case strings.HasPrefix(name, "-"):
		return place{}, fault(field, "%q must not begin with a dash: write ./%s if that is the name", name, name)
	case strings.ContainsFunc(name, unicode.IsControl):
		return place{}, fault(field, "%q must not have control characters", name)
	}
	match := schemeOf().FindStringSubmatch(name)
	if match == nil {
		return o.path(field, name)
	}
	scheme := strings.ToLower(match[1])
	if scheme == mountScheme {
		return o.mounted(field, mountScheme+name[len(scheme):])
	}
	if scheme == "file" {
		return o.path(field, filePath(name))
	}
	if !slices.Contains(schemes, scheme) {
		return place{}, fault(field, "%s: is not allowed here: give a file (./%s if that is the name) or one of %s", match[1], name, strings.Join(schemes, ", "))
	}
	if u, err := url.Parse(name); err != nil || u.Host == "" {
		return place{}, fault(field, "%q is not a URL: write %s://HOST/...", name, scheme)
	}
	return place{scheme: scheme, name: name, fenced: o.Root != "", stall: o.stall}, nil
}

// filePath is the path in a file: URL.
func filePath(name string) string {
	rest := name[len("file:"):]
	if u, err := url.Parse(name); err == nil && u.Path != "" && strings.HasPrefix(rest, "//") {
		return u.Path
	}
	return rest
}

// path makes the name of a file absolute, and keeps it under the root.
func (o Options) path(field, name string) (place, error) {
	if o.Root != "" && !filepath.IsAbs(name) {
		name = filepath.Join(o.Root, name)
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return place{}, fault(field, "%q: %w", name, err)
	}
	if o.Root == "" {
		return place{name: path}, nil
	}
	path, err = resolve(path)
	if err != nil {
		return place{}, fault(field, "%q: %w", name, err)
	}
	if inside, err := filepath.Rel(o.Root, path); err != nil || !filepath.IsLocal(inside) {
		err := fault(field, "%q is outside the directory %s, which is all that this worker may use%s", name, o.Root, o.opener())
		if o.mount {
			return place{}, err
		}
		return place{}, caused(err, muster.CauseWorker) // another may have a wider one
	}
	return place{name: path, fenced: true}, nil
}

// opener says how an operator lets tasks use more than the root.
func (o Options) opener() string {
	if o.mount {
		return " through this mount"
	}
	return `: start its agent, or muster up, with another --root ("" is anywhere)`
}

// resolve follows the links in a path, as far as the path is there.
func resolve(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	if _, err := os.Lstat(path); err == nil {
		return "", errors.New("is a link to nothing")
	}
	dir, err := resolve(filepath.Dir(path))
	return filepath.Join(dir, filepath.Base(path)), err
}

// source checks an input: a file must be there.
func (o Options) source(field, name string) (place, error) {
	p, err := o.place(field, name, network)
	if err != nil || !p.file() {
		return p, err
	}
	info, err := os.Stat(p.name)
	switch {
	case p.fenced && strings.Contains(p.name, "%"): // ffmpeg takes it for a pattern, and reads files that were not checked
		return p, fault(field, "%s must not have a %% in its name", p.name)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return p, caused(fmt.Errorf("%s: %w", field, err), muster.CauseWorker) // another may see it
	case err != nil:
		return p, fmt.Errorf("%s: %w", field, err)
	case info.IsDir():
		return p, fault(field, "%s is a directory: give a file", p.name)
	case p.fenced && isPlaylist(p.name): // format_whitelist would refuse it too, in other words
		return p, fault(field, "%s is a playlist, which may name any file, and this worker may use only those in a directory%s", p.name, o.opener())
	}
	return p, nil
}

// playlistHeads is what the lists of files begin with that ffmpeg knows: HLS, its
// own concat, DASH and IMF.
var playlistHeads = lazily(`^(?:\xEF\xBB\xBF)?\s*(?:#EXTM3U|ffconcat|<\?xml|<MPD)`)

func isPlaylist(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 64)
	n, _ := io.ReadFull(f, head)
	return playlistHeads().Match(head[:n])
}

// target checks a file to write.
func (o Options) target(field, name string) (place, error) {
	p, err := o.place(field, name, nil)
	if err == nil && strings.Contains(filepath.Dir(p.name), "%") {
		return p, fault(field, "%s must not have a %% in the name of a directory", p.name)
	}
	return p, err
}

// Directory is where a directory that a spec names is, or why it may not be used.
// It need not be there.
func (o Options) Directory(name string) (string, error) {
	o, err := o.withDefaults()
	if err != nil {
		return "", err
	}
	p, err := o.target("output", name)
	return p.name, err
}

// noLinks refuses links among the files of a directory that begin with one of the
// stems: under a root, ffmpeg would write to where they lead.
func noLinks(dir string, stems ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	for _, e := range entries {
		for _, stem := range stems {
			if e.Type()&fs.ModeSymlink != 0 && strings.HasPrefix(e.Name(), stem) {
				return fault("output", "%s is a link, and may lead outside the directory that this node may use: remove it", filepath.Join(dir, e.Name()))
			}
		}
	}
	return nil
}
