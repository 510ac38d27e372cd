package media

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/muster-fleet/muster/node"
)

// The kinds of work.
const (
	Record     = "record"     // an input into files of some seconds each
	Transcode  = "transcode"  // an input into several sizes and codecs
	Package    = "package"    // an input into HLS and DASH with several sizes
	Thumbnails = "thumbnails" // sheets of small pictures of an input
	Stream     = "stream"     // an input to a server, or into HLS
	Mix        = "mix"        // several inputs into one tiled picture
	Analyse    = "analyse"    // where an input is black, silent, frozen, loud
)

// Kinds are the kinds of work that New knows.
func Kinds() []string { return []string{Record, Transcode, Package, Thumbnails, Stream, Mix, Analyse} }

// Options are what holds for all tasks of a node.
type Options struct {
	// Root, when set, is the directory in which all files must be that a spec
	// names; a path that is not absolute counts from there. Playlists cannot be
	// read then, since they can name any file. Empty: any file that the process
	// may read or write; paths count from its working directory.
	Root string
	// Mounts are directories by the names under which specs know them: the file
	// mount:films/a.mp4 is a.mp4 in Mounts["films"]. They may lie outside Root.
	Mounts map[string]string
	// Stage is the directory for what is fetched from S3, and for results until
	// they are sent; "" is that of the system for temporary files.
	Stage string
	// AllowArgs lets specs have ffmpeg_args, which can read and write any file: a
	// Root would not hold, so that both together are refused.
	AllowArgs bool
	// Grace is how long ffmpeg may take to finish its files when a task is
	// stopped, before it is killed. 0 means DefaultGrace.
	Grace time.Duration
	// Logger hears of each ffmpeg that starts. Nil means none.
	Logger *slog.Logger

	// stall is for tests: see place.
	stall time.Duration
	// mount is set where Root is a mount.
	mount bool
}

// DefaultGrace is how long ffmpeg may take to finish its files.
const DefaultGrace = 10 * time.Second

func (o Options) withDefaults() (Options, error) {
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.AllowArgs && o.Root != "" {
		return o, errors.New("media: AllowArgs lets a task use any file, and Root does not: leave one of them out")
	}
	mounts := map[string]string{}
	for name, dir := range o.Mounts {
		if err := CheckMount(name, dir); err != nil {
			return o, fmt.Errorf("media: mount: %w", err)
		}
		real, err := directory(dir)
		if err != nil {
			return o, fmt.Errorf("media: mount %s: %w", name, err)
		}
		mounts[name] = real
	}
	o.Mounts = mounts
	if o.Root == "" {
		return o, nil
	}
	var err error
	if o.Root, err = directory(o.Root); err != nil {
		return o, fmt.Errorf("media: root %w", err)
	}
	return o, nil
}

// directory is the real path of one that exists.
func directory(name string) (string, error) {
	dir, err := filepath.Abs(name)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", fmt.Errorf("%q must be a directory that exists: %w", name, err)
	}
	return dir, nil
}

// New returns the work of a kind. The error names a kind that is not known, or
// a root that is not there.
func New(kind string, t *Tool, o Options) (node.Work, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	plain, err := newPlain(kind, t, o)
	if err != nil {
		return nil, err
	}
	return stagedWork{kind, t, o, plain}, nil
}

// newPlain is New for files that the spec names.
func newPlain(kind string, t *Tool, o Options) (plainWork, error) {
	switch kind {
	case Record:
		return newWork(t, o, recordPlan, record), nil
	case Transcode:
		return newWork(t, o, transcodePlan, transcode), nil
	case Package:
		return newWork(t, o, packagePlan, pack), nil
	case Thumbnails:
		return newWork(t, o, thumbnailsPlan, makeThumbnails), nil
	case Stream:
		return newWork(t, o, streamPlan, stream), nil
	case Mix:
		return newWork(t, o, mixPlan, mix), nil
	case Analyse:
		return newWork(t, o, analysePlan, analyse), nil
	case pieceKind:
		return newWork(t, o, piecePlan, piece), nil
	case joinKind:
		return newWork(t, o, joinPlan, join), nil
	}
	return nil, fmt.Errorf("media: %w", oneOf("kind of work", kind, Kinds()))
}
