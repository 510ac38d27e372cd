package roomrec

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// The files beside those of the tracks.
const (
	indexName = "recording.json"
	mixName   = "mix.json"
)

// Index says what a recording has.
type Index struct {
	Room  string    `json:"room"`
	Began time.Time `json:"began"`
	// Ended: nothing is added any more.
	Ended bool     `json:"ended"`
	Files []*Entry `json:"files"`
}

// Entry is a file of a recording. Times are in seconds.
type Entry struct {
	File        string `json:"file"`
	User        string `json:"user"`
	Participant string `json:"participant"`
	// Source is what the track shows: "camera", "mic", "screen" or "sound".
	Source string `json:"source"`
	Codec  string `json:"codec"`
	// Start is when it begins, from the beginning of the recording.
	Start   float64 `json:"start_seconds"`
	Seconds float64 `json:"seconds"`
	// Gaps are when nothing came.
	Gaps []Gap `json:"gaps"`
	// Whole: the file has its end. Others can be played, too.
	Whole bool `json:"whole"`
}

// Gap is a time without frames, in seconds of its file.
type Gap struct {
	At      float64 `json:"at"`
	Seconds float64 `json:"seconds"`
	// Moved: another SFU served the room afterwards.
	Moved bool `json:"moved"`
}

// Moved reports whether the file goes on after a move to another SFU.
func (e *Entry) Moved() bool {
	return slices.ContainsFunc(e.Gaps, func(g Gap) bool { return g.Moved })
}

// index is an Index in its directory.
type index struct {
	dir *os.Root
	// path is how tasks name the directory.
	path string

	mu      sync.Mutex
	says    Index
	changed bool
}

// openIndex goes on with the index that is in a directory, or begins one.
func openIndex(dir *os.Root, dirPath, room string, now time.Time) (*index, error) {
	x := &index{dir: dir, path: dirPath, says: Index{Room: room, Began: now, Files: []*Entry{}}}
	text, err := dir.ReadFile(indexName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return x, nil
	case err != nil:
		return nil, err
	}
	if err := json.Unmarshal(text, &x.says); err != nil {
		return nil, fmt.Errorf("roomrec: %s is no index of a recording: choose another output: %w", indexName, err)
	}
	if x.says.Room != room {
		return nil, fmt.Errorf("roomrec: the output has a recording of room %q: choose another", x.says.Room)
	}
	x.says.Ended = false
	return x, nil
}

// change changes what the index says.
func (x *index) change(f func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f()
	x.changed = true
}

// end says that nothing is added any more.
func (x *index) end() error {
	x.change(func() { x.says.Ended = true })
	return x.save()
}

// copy is what the index says now.
func (x *index) copy() Index {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := x.says
	out.Files = nil
	for _, e := range x.says.Files {
		one := *e
		one.Gaps = slices.Clone(e.Gaps)
		out.Files = append(out.Files, &one)
	}
	return out
}

// save writes the index and the spec of a mix, if something has changed.
func (x *index) save() error {
	x.mu.Lock()
	changed := x.changed
	x.changed = false
	x.mu.Unlock()
	if !changed {
		return nil
	}
	now := x.copy()
	return errors.Join(x.put(indexName, now), x.put(mixName, now.mix(x.path)))
}

// put replaces a file at once.
func (x *index) put(name string, says any) error {
	text, err := json.MarshalIndent(says, "", "  ")
	if err == nil {
		err = x.dir.WriteFile("."+name, append(text, '\n'), 0o644)
	}
	if err == nil {
		err = x.dir.Rename("."+name, name)
	}
	return err
}

// mixSpec is a spec of media.Mix, as far as it is needed.
type mixSpec struct {
	Inputs []mixInput `json:"inputs"`
	Output string     `json:"output"`
}

type mixInput struct {
	URL   string  `json:"url"`
	Video bool    `json:"video"`
	Audio bool    `json:"audio"`
	Start float64 `json:"start_seconds"`
}

// mix is the spec of a mix of all files, each at its time.
func (x Index) mix(dir string) map[string]mixSpec {
	m := mixSpec{Inputs: []mixInput{}, Output: path.Join(dir, "mix.mp4")}
	for _, e := range x.Files {
		sound := e.Source == "mic" || e.Source == "sound"
		m.Inputs = append(m.Inputs, mixInput{path.Join(dir, e.File), !sound, sound, e.Start})
	}
	return map[string]mixSpec{"mix": m}
}

// fileName is a name that every system takes.
func fileName(text string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", r) {
			return r
		}
		return '_'
	}, text)
	const most = 40
	return name[:min(len(name), most)]
}
