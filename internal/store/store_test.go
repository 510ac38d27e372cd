package store

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-fleet/muster/internal/s3test"
)

func object(key string) *url.URL {
	return &url.URL{Scheme: "s3", Host: s3test.Bucket, Path: "/" + key}
}

func open(t *testing.T) Store {
	t.Helper()
	s, err := Open("s3")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func content(t *testing.T, size int) (path string, data []byte) {
	t.Helper()
	data = make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(data)
	path = filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, data
}

// What was put is what is fetched, in one part or in several; nothing is
// overwritten unasked, and what is not there is named so.
func TestS3(t *testing.T) {
	s3test.Start(t)
	s := open(t)
	for name, size := range map[string]int{"empty": 0, "small file?%.mp4": 1000, "dir/large": partSize + 12345} {
		path, data := content(t, size)
		at := object(name)
		if _, err := s.Stat(t.Context(), at); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: before it is there: %v", name, err)
		}
		if err := s.Put(t.Context(), path, at, false); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := s.Put(t.Context(), path, at, false); !errors.Is(err, ErrExists) {
			t.Errorf("%s: put twice: %v", name, err)
		}
		if err := s.Put(t.Context(), path, at, true); err != nil {
			t.Errorf("%s: replaced: %v", name, err)
		}
		got := filepath.Join(t.TempDir(), "got")
		if err := s.Fetch(t.Context(), at, got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if have, err := os.ReadFile(got); err != nil || !bytes.Equal(have, data) {
			t.Errorf("%s: other content: %d bytes, %v", name, len(have), err)
		}
	}
	if err := s.Fetch(t.Context(), object("none"), filepath.Join(t.TempDir(), "x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	if _, err := open(t).Stat(t.Context(), object("empty")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("with a wrong key: %v", err)
	}
}

// A connection that breaks is taken up at the byte where it broke.
func TestS3GoesOnWhereItBroke(t *testing.T) {
	server := s3test.Start(t)
	path, data := content(t, 3<<20)
	if err := open(t).Put(t.Context(), path, object("film"), false); err != nil {
		t.Fatal(err)
	}
	cuts := server.Cut(t, 1<<20, 2)
	got := filepath.Join(t.TempDir(), "got")
	if err := open(t).Fetch(t.Context(), object("film"), got); err != nil {
		t.Fatal(err)
	}
	if have, err := os.ReadFile(got); err != nil || !bytes.Equal(have, data) || cuts.Load() != 2 {
		t.Errorf("%d bytes, %v, cut %d times", len(have), err, cuts.Load())
	}
	if err := os.WriteFile(filepath.Join(server.Dir, "film"), data[:len(data)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(server.Dir, "film"), append(data[:len(data)-1:len(data)-1], 'x'), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t).Fetch(t.Context(), object("film"), got); err == nil || !strings.Contains(err.Error(), "differs") {
		t.Errorf("changed behind the server's back: %v", err)
	}
}

// Of an upload that is cut again and again nothing stands under its name, whether
// it goes in one part or in several.
func TestAnUploadThatIsCutLeavesNothing(t *testing.T) {
	server := s3test.Start(t)
	cuts := server.CutUploads(t, 1<<20)
	for name, size := range map[string]int{"one": 3 << 20, "several": partSize + 3<<20} {
		path, _ := content(t, size)
		if err := open(t).Put(t.Context(), path, object(name), false); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := os.Stat(filepath.Join(server.Dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it is there: %v", name, err)
		}
	}
	if cuts.Load() == 0 {
		t.Error("nothing was cut")
	}
}
