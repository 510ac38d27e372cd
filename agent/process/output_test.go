//go:build unix

package process

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
)

// slowDisk takes nothing until it is let go.
type slowDisk struct {
	begun, free chan struct{}
	once        sync.Once
	text        bytes.Buffer
	err         error
}

func (d *slowDisk) Write(p []byte) (int, error) {
	d.once.Do(func() { close(d.begun) })
	<-d.free
	if d.err != nil {
		return 0, d.err
	}
	return d.text.Write(p)
}

func (d *slowDisk) Close() error { return nil }

// A disk that hangs costs output, not the node's time: all that it writes is
// taken, and a note of what was lost in its place.
func TestSlowDiskDoesNotHoldTheNode(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	disk := &slowDisk{begun: make(chan struct{}), free: make(chan struct{})}
	var over sync.WaitGroup
	s := newSpool(r, disk, (&logged{}).logger(), &over)
	if _, err := io.WriteString(w, "first\n"); err != nil {
		t.Fatal(err)
	}
	<-disk.begun
	line := strings.Repeat("x", 1023) + "\n"
	for range 4 * outputRoom / len(line) { // a pipe has 64 KiB: this ends only if it is read
		if _, err := io.WriteString(w, line); err != nil {
			t.Fatal(err)
		}
	}
	close(disk.free)
	if _, err := io.WriteString(w, "last\n"); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if tail := s.close(); !strings.HasSuffix(tail, "| last") {
		t.Errorf("got tail %.80q; want the last lines", tail)
	}
	over.Wait()
	got := disk.text.String()
	if !strings.HasPrefix(got, "first\n") || len(got) > 2*outputRoom {
		t.Errorf("got %d bytes that begin with %.20q; want a bounded part of it all", len(got), got)
	}
	if !strings.Contains(got, "bytes of output were dropped: the disk was too slow") {
		t.Error("no note of the output that was lost")
	}
}

// A node that ends while the disk is still behind has the note too.
func TestDroppedOutputIsNotedAtTheEnd(t *testing.T) {
	s := &spool{more: make(chan struct{}, 1)}
	s.put(make([]byte, outputRoom), false)
	s.put([]byte("lost"), false)
	s.put(nil, true)
	if got, ended := s.take(nil); !ended || !bytes.Contains(got, []byte("4 bytes of output were dropped")) {
		t.Errorf("ended %v, with %q", ended, got[min(len(got), outputRoom):])
	}
}

func TestFullDiskIsToldOnce(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	disk := &slowDisk{begun: make(chan struct{}), free: make(chan struct{}), err: errors.New("no space left on device")}
	close(disk.free)
	said := &logged{}
	var over sync.WaitGroup
	s := newSpool(r, disk, said.logger(), &over)
	for range 100 {
		if _, err := io.WriteString(w, "line\n"); err != nil {
			t.Fatal(err)
		}
	}
	_ = w.Close()
	s.close()
	over.Wait()
	if n := strings.Count(said.String(), "no space left"); n != 1 {
		t.Errorf("warned %d times; want once: %s", n, said)
	}
}

func TestLastLines(t *testing.T) {
	for tail, want := range map[string]string{
		"":                             "",
		" \n\r\n":                      "",
		"a":                            "; its last output: a",
		"a\nb\nc\n\nd\n":               "; its last output: b | c | d",
		"frame=1\rframe=2\rframe=3\rX": "; its last output: frame=2 | frame=3 | X",
		"\x1b]0;title\a\xff\u009bx":    "; its last output: ]0;title ? x",
		strings.Repeat("é", 150):       "; its last output: " + strings.Repeat("é", 100) + "...",
	} {
		s := &spool{tail: []byte(tail)}
		if got := s.lastLines(); got != want {
			t.Errorf("%q: got %q; want %q", tail, got, want)
		}
	}
}

// The output of a node goes through several files while it writes, and is
// read from them as one.
func TestReadLogAcrossRotations(t *testing.T) {
	h := open(t, Options{LogSize: 1000, LogFiles: 3})
	n := run(t, h, shell("i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done"))
	var got []byte
	var c LogChunk
	for offset := int64(0); !c.Ended; offset = c.Next {
		var err error
		if c, err = h.ReadLog("test_1", offset, 100); err != nil {
			t.Fatal(err)
		}
		if c.Offset != offset {
			got = nil // a part is gone that was not read in time
		}
		got = append(got, c.Data...)
	}
	if err := end(t, n); err != nil {
		t.Error(err)
	}
	if c.Next != 8890 || !bytes.HasSuffix(got, []byte("line 998\nline 999\n")) {
		t.Errorf("read up to %d, ending with %.40q", c.Next, got[max(0, len(got)-40):])
	}
	c, err := h.ReadLog("test_1", -9, 0)
	if err != nil || string(c.Data) != "line 999\n" || c.Offset != 8881 || !c.Ended {
		t.Errorf("the last nine bytes: got %+v, %v", c, err)
	}
}

func TestReadLogRefuses(t *testing.T) {
	h := open(t, Options{})
	for _, name := range []string{"", "..", "../lock", "a/b", "/etc/passwd", ".hidden", "a\x00b", "a\nb", "[0-9]", strings.Repeat("x", 300)} {
		if _, err := h.ReadLog(name, 0, 0); err == nil || errors.Is(err, fs.ErrNotExist) || len(err.Error()) > 300 {
			t.Errorf("%.20q: got %v; want that it is no name", name, err)
		}
	}
	if _, err := h.ReadLog("nobody", 0, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v; want fs.ErrNotExist", err)
	}
}
