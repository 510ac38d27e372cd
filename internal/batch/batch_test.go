package batch

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func record(tasks ...string) Record {
	r := Record{Purpose: "video", Began: time.Now()}
	for _, name := range tasks {
		r.Tasks = append(r.Tasks, Task{Name: name, Spec: json.RawMessage(`{"a":1}`)})
	}
	return r
}

func add(t *testing.T, b *Batch, task, result string) {
	t.Helper()
	if err := b.Add(map[string]string{"task": task, "result": result, "worker": "w"}); err != nil {
		t.Fatal(err)
	}
}

// What is left of a batch is what is neither done nor kept, by the last word on
// each task; half a line, as a crash leaves it, is no word.
func TestTheRest(t *testing.T) {
	s := Store{filepath.Join(t.TempDir(), "jobs")}
	made, err := s.Create(record("a", "b", "c", "d", "e"))
	if err != nil {
		t.Fatal(err)
	}
	add(t, made, "a", "done")
	add(t, made, "b", "failed")
	add(t, made, "c", "kept")
	add(t, made, "d", "failed")
	add(t, made, "d", "done")
	f, err := os.OpenFile(filepath.Join(made.dir, resultsFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"task":"e","result":"do`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	b, err := s.Open(made.ID)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := b.Rest()
	if err != nil || len(rest) != 2 || rest[0].Name != "b" || rest[1].Name != "e" {
		t.Errorf("the rest is %v, %v", rest, err)
	}
	results, err := b.Results()
	if err != nil || len(results) != 4 || results["d"].Result != "done" {
		t.Errorf("the results are %v, %v", results, err)
	}
	for _, id := range []string{"", "..", "x/y", "none"} {
		if _, err := s.Open(id); !errors.Is(err, ErrUnknown) {
			t.Errorf("opening %q: %v", id, err)
		}
	}
}

// What was begun and has no end is left, with where it was begun, also in the record
// of the batch that does the rest; what ended later is not.
func TestWhatWasBegun(t *testing.T) {
	s := Store{t.TempDir()}
	b, err := s.Create(record("a", "b", "c"))
	if err != nil {
		t.Fatal(err)
	}
	add(t, b, "a", BegunResult)
	add(t, b, "b", BegunResult)
	add(t, b, "b", "failed")
	for range 2 {
		rest, err := b.Rest()
		if err != nil || len(rest) != 3 || rest[0].Begun == nil || rest[0].Begun.Worker != "w" || rest[1].Begun != nil || rest[2].Begun != nil {
			t.Fatalf("the rest is %+v, %v", rest, err)
		}
		of := rest[0].Begun.Batch
		again := record()
		again.Tasks = rest
		if b, err = s.Create(again); err != nil || of == b.ID {
			t.Fatalf("%s after %s, %v", b.ID, of, err)
		}
	}
}

// A batch runs as long as somebody holds it.
func TestWhoWorksOnIt(t *testing.T) {
	s := Store{t.TempDir()}
	b, err := s.Create(record("a"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.Open(b.ID)
	if err != nil {
		t.Fatal(err)
	}
	if running, _ := other.Running(); running {
		t.Error("it runs before it was taken")
	}
	if err := b.Take(); err != nil {
		t.Fatal(err)
	}
	if running, pid := other.Running(); !running || pid != os.Getpid() {
		t.Errorf("running %v by %d", running, pid)
	}
	if err := other.Take(); !errors.Is(err, ErrTaken) {
		t.Errorf("taken twice: %v", err)
	}
	b.Release()
	if running, _ := other.Running(); running {
		t.Error("it runs after it was released")
	}
	if cancelled, err := other.Cancel(); cancelled || err != nil {
		t.Errorf("cancelled %v, %v", cancelled, err)
	}
}

// The oldest that have ended are forgotten.
func TestTheOldestAreForgotten(t *testing.T) {
	s := Store{t.TempDir()}
	oldest := record("old")
	oldest.Began = time.Now().Add(-time.Hour)
	held, err := s.Create(oldest)
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Take(); err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	for i := range mostKept + 3 {
		r := record(fmt.Sprint(i))
		r.Began = r.Began.Add(time.Duration(i) * time.Second)
		if _, err := s.Create(r); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.List()
	if err != nil || len(all) > mostKept+1 || all[0].ID != held.ID {
		t.Errorf("%d are left, %v", len(all), err)
	}
}
