package manager

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

// The bounds of a page. In bytes it is well below what NATS takes in a message, and
// an owner of the state is done with it in about a millisecond.
const (
	pageDefault = 100
	pageMost    = 1000
	pageBytes   = 256 << 10
	// pageNames is how many names of tasks are listed with a worker, of each kind.
	pageNames = 100
)

// pageQuery is the second argument of listWorkers and listTasks. Without it they
// answer the whole list in one message, as they did before they had it.
type pageQuery struct {
	// Limit is how many items are wanted at most; 0 means pageDefault.
	Limit int `json:"limit"`
	// After is the member next of the page before.
	After string `json:"after"`
	// Names asks for the names of each worker's first tasks.
	Names  bool              `json:"names"`
	Worker string            `json:"worker"`
	Task   string            `json:"task"`
	State  string            `json:"state"`
	Region string            `json:"region"`
	Labels map[string]string `json:"labels"`

	after state.Place
}

// workersPage and tasksPage are the answers. Next is empty on the last page.
type workersPage struct {
	Workers []muster.Worker `json:"workers"`
	Next    string          `json:"next,omitempty"`
}

type tasksPage struct {
	Tasks []listedTask `json:"tasks"`
	Next  string       `json:"next,omitempty"`
}

// page reads a query; nil where there is none.
func (r *reader) page(i int) *pageQuery {
	raw := r.raw(i)
	if raw == nil {
		return nil
	}
	q := &pageQuery{Limit: pageDefault}
	if err := strictly(raw, q); err != nil {
		r.fail(i, "query", "must be an object with the members limit, after, names, worker, task, state, region and labels ("+err.Error()+")")
		return q
	}
	if q.Limit < 1 || q.Limit > pageMost {
		r.fail(i, "query.limit", fmt.Sprintf("must be 1 to %d", pageMost))
	}
	place, err := placeOf(q.After)
	if err != nil {
		r.fail(i, "query.after", "must be the member next of the page before")
	}
	q.after = place
	return q
}

func strictly(raw json.RawMessage, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
			return fmt.Errorf("%s must not be of type %s", cmp.Or(wrong.Field, "it"), wrong.Value)
		}
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// filter is what the query selects.
func (q *pageQuery) filter(purpose string) state.Filter {
	return state.Filter{Purpose: oneOrAll(purpose), Worker: q.Worker, State: q.State, Region: q.Region, Labels: q.Labels, Task: q.Task}
}

func (q *pageQuery) bounds() state.Bounds {
	b := state.Bounds{Items: q.Limit, Bytes: pageBytes}
	if q.Names {
		b.Names = pageNames
	}
	return b
}

// wirePlace is a state.Place inside a cursor.
type wirePlace struct {
	Purpose string `json:"p"`
	Worker  string `json:"w"`
	Task    string `json:"t,omitempty"`
	Whole   bool   `json:"e,omitempty"`
}

// cursor is a place as callers pass it back; "" for the end of the list.
func cursor(next state.Place, more bool) string {
	if !more {
		return ""
	}
	raw, err := json.Marshal(wirePlace(next))
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func placeOf(cursor string) (p state.Place, err error) {
	if cursor == "" {
		return p, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	place := wirePlace{}
	if err == nil {
		err = json.Unmarshal(raw, &place)
	}
	return state.Place(place), err
}

func (c *core) pageWorkers(s *state.State, purpose string, q *pageQuery) workersPage {
	list, next, more := s.PageWorkers(q.filter(purpose), q.after, q.bounds())
	for i := range list {
		list[i].HeardMillis = c.heard(list[i].ID)
	}
	return workersPage{Workers: list, Next: cursor(next, more)}
}

func pageTasks(s *state.State, purpose string, q *pageQuery) tasksPage {
	list, next, more := s.PageTasks(q.filter(purpose), q.after, q.bounds())
	return tasksPage{Tasks: allListed(list), Next: cursor(next, more)}
}
