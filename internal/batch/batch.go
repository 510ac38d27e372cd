// Package batch keeps what a batch of tasks was asked to do, and what became of
// each, in a directory of the user's: a batch can be looked at, cancelled and
// taken up again by other processes than the one that began it.
package batch

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/muster-fleet/muster/internal/lockfile"
)

// Record is what a batch is asked to do.
type Record struct {
	ID      string    `json:"id"`
	Purpose string    `json:"purpose"`
	Began   time.Time `json:"began"`
	// Of is the batch of which this one does the rest again, "" of others.
	Of string `json:"of,omitempty"`
	// Priority decides between batches that wait for workers: the higher one first.
	Priority int `json:"priority,omitempty"`
	// Staged are batches whose files the process that works on them serves; Address
	// is where workers reach it, "" where that is found out.
	Staged  bool   `json:"staged,omitempty"`
	Address string `json:"address,omitempty"`
	Tasks   []Task `json:"tasks"`
}

// Task is one of a batch.
type Task struct {
	Name       string          `json:"task"`
	Room       string          `json:"room,omitempty"`
	Spec       json.RawMessage `json:"spec,omitempty"`
	Preference json.RawMessage `json:"preference,omitempty"`
	// Begun is where the task was begun last, if nothing is recorded of its end: it
	// may have ended since.
	Begun *Begun `json:"begun,omitempty"`
}

// Begun is the beginning of a task.
type Begun struct {
	Worker string `json:"worker"`
	// Batch is the batch that began it.
	Batch string `json:"batch"`
}

// BegunResult is Result.Result of a task that was begun, as long as nothing is
// known of its end.
const BegunResult = "begun"

// Result is how a task ended. All is the result in full, as its command prints
// it.
type Result struct {
	Task   string          `json:"task"`
	Result string          `json:"result"`
	Worker string          `json:"worker"`
	All    json.RawMessage `json:"-"`
}

// Good reports whether nothing is left to do of a task.
func (r Result) Good() bool { return r.Result == "done" || r.Result == "kept" }

// The files of a batch.
const (
	recordFile  = "job.json"
	resultsFile = "results.jsonl"
	lockName    = "lock"
	logName     = "log"
)

// mostKept is how many batches that have ended are kept, the last ones.
const mostKept = 200

// ErrUnknown is that there is no such batch.
var ErrUnknown = errors.New("no such job")

// Store is a directory of batches.
type Store struct{ Dir string }

// Home is the store of this user: below XDG_STATE_HOME, else ~/.local/state.
func Home() (Store, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return Store{}, fmt.Errorf("batch: %w", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	return Store{filepath.Join(base, "muster", "jobs")}, nil
}

// Batch is one of a store.
type Batch struct {
	Record
	dir  string
	lock *lockfile.Lock
}

// Create records a new batch, and gives it an id. The oldest that have ended are
// forgotten.
func (s Store) Create(r Record) (*Batch, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	r.ID = fmt.Sprintf("%s-%s-%s", plain(r.Purpose), r.Began.Format("20060102-150405"), strings.ToLower(rand.Text()[:4]))
	b := &Batch{Record: r, dir: filepath.Join(s.Dir, r.ID)}
	text, err := json.MarshalIndent(r, "", " ")
	if err == nil {
		err = os.Mkdir(b.dir, 0o700) // specs may hold passwords
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(b.dir, recordFile), text, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	return b, s.forget()
}

// plain makes a name of a file of any text.
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			return c
		}
		return '_'
	}, text)
}

// forget removes the oldest batches that are not being worked on.
func (s Store) forget() error {
	all, err := s.List()
	if err != nil {
		return err
	}
	for _, b := range all[:max(0, len(all)-mostKept)] {
		if running, _ := b.Running(); !running {
			_ = os.RemoveAll(b.dir)
		}
	}
	return nil
}

// List are all batches, the oldest first. What cannot be read is left out.
func (s Store) List() ([]*Batch, error) {
	entries, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("batch: %w", err)
	}
	var all []*Batch
	for _, e := range entries {
		if b, err := s.Open(e.Name()); err == nil {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b *Batch) int { return a.Began.Compare(b.Began) })
	return all, nil
}

// Open is the batch of an id.
func (s Store) Open(id string) (*Batch, error) {
	b := &Batch{dir: filepath.Join(s.Dir, id)}
	if id == "" || id != filepath.Base(id) || id == ".." || id == "." {
		return nil, fmt.Errorf("%w: %q", ErrUnknown, id)
	}
	text, err := os.ReadFile(filepath.Join(b.dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	if err == nil {
		err = json.Unmarshal(text, &b.Record)
	}
	if err != nil {
		return nil, fmt.Errorf("batch %s: %w", id, err)
	}
	return b, nil
}

// Log is the path of the batch's log file.
func (b *Batch) Log() string { return filepath.Join(b.dir, logName) }

// Add records that a task was begun, or how it ended.
func (b *Batch) Add(result any) error {
	line, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("batch %s: %w", b.ID, err)
	}
	f, err := os.OpenFile(filepath.Join(b.dir, resultsFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("batch %s: %w", b.ID, err)
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// Results are by the names of the tasks; of a task that was done again, the
// last.
func (b *Batch) Results() (map[string]Result, error) {
	text, err := os.ReadFile(filepath.Join(b.dir, resultsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("batch %s: %w", b.ID, err)
	}
	results := map[string]Result{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		r := Result{All: slices.Clone(lines.Bytes())}
		if json.Unmarshal(r.All, &r) == nil { // else cut off, by a crash
			results[r.Task] = r
		}
	}
	return results, nil
}

// Rest are the tasks that are not done.
func (b *Batch) Rest() ([]Task, error) {
	results, err := b.Results()
	if err != nil {
		return nil, err
	}
	var rest []Task
	for _, t := range b.Tasks {
		r, recorded := results[t.Name]
		if r.Good() {
			continue
		}
		if recorded {
			t.Begun = nil
		}
		if r.Result == BegunResult {
			t.Begun = &Begun{Worker: r.Worker, Batch: b.ID}
		}
		rest = append(rest, t)
	}
	return rest, nil
}
