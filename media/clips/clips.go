// Package clips makes awkward inputs for tests of media: files as people have
// them, a few seconds long, from ffmpeg's own sources. Each is made once and
// kept in the user's cache.
package clips

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// version is part of the cache's name: change it with the recipes.
const version = "2"

// Maker makes clips with one ffmpeg. It is safe for concurrent use.
type Maker struct {
	// FFmpeg is the program, Dir where the clips are kept.
	FFmpeg, Dir string

	mu   sync.Mutex
	made map[string]func() (string, error)
}

// New returns a maker that keeps its clips in the user's cache.
func New(ffmpeg string) (*Maker, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("clips: %w", err)
	}
	dir := filepath.Join(cache, "muster", "clips-"+version)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("clips: %w", err)
	}
	return &Maker{FFmpeg: ffmpeg, Dir: dir, made: map[string]func() (string, error){}}, nil
}

// Get returns the path of a clip, which is one of Names.
func (m *Maker) Get(ctx context.Context, name string) (string, error) {
	r, known := recipes[name]
	if !known {
		return "", fmt.Errorf("clips: %q is unknown", name)
	}
	m.mu.Lock()
	once := m.made[name]
	if once == nil {
		once = sync.OnceValues(func() (string, error) { return m.make(ctx, name, r) })
		m.made[name] = once
	}
	m.mu.Unlock()
	return once()
}

// make runs a recipe where its result is not there yet.
func (m *Maker) make(ctx context.Context, name string, r recipe) (string, error) {
	path := filepath.Join(m.Dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	from := ""
	for i, other := range []string{r.from, r.also} {
		if other == "" {
			continue
		}
		path, err := m.Get(ctx, other)
		if err != nil {
			return "", err
		}
		if i == 0 {
			from = path
		}
	}
	temp := filepath.Join(m.Dir, fmt.Sprintf("%d-%s", os.Getpid(), name))
	defer os.Remove(temp)
	err := r.ffmpeg(ctx, m, from, temp)
	if err == nil && r.change != nil {
		err = rewrite(r.base(temp, from), temp, r.change)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return "", fmt.Errorf("clips: %s: %w", name, err)
	}
	return path, nil
}

func (r recipe) base(temp, from string) string {
	if r.args == "" {
		return from
	}
	return temp
}

func (r recipe) ffmpeg(ctx context.Context, m *Maker, from, to string) error {
	if r.args == "" {
		return nil
	}
	fill := strings.NewReplacer("FROM", from, "DIR", m.Dir)
	args := []string{"-loglevel", "error", "-nostdin", "-y"}
	for _, word := range strings.Fields(r.args) {
		args = append(args, fill.Replace(word))
	}
	cmd := exec.CommandContext(ctx, m.FFmpeg, append(args, to)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func rewrite(from, to string, change func([]byte) []byte) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, change(b), 0o666)
}

// half leaves the second half out.
func half(b []byte) []byte { return b[:len(b)/2] }

// zeroed has zeros for the second half, as a file that is being copied into room
// that was reserved for it.
func zeroed(b []byte) []byte {
	clear(b[len(b)/2:])
	return b
}

// turned writes a matrix of 90 degrees into the first track of an mp4 file.
func turned(b []byte) []byte {
	at := bytes.Index(b, []byte("tkhd"))
	if at < 0 {
		return b
	}
	matrix := b[at+4+40 : at+4+76] // behind version, flags, times, number, length, layer, volume
	for i, v := range []uint32{0, 0x10000, 0, 0xffff0000, 0, 0, 0, 0, 0x40000000} {
		binary.BigEndian.PutUint32(matrix[4*i:], v)
	}
	return b
}

// rateless takes the rate out of a Matroska file, as a browser's recorder
// writes none.
func rateless(b []byte) []byte {
	if at := bytes.Index(b, []byte{0x23, 0xe3, 0x83}); at > 0 {
		size := int(b[at+3] & 0x7f)
		b[at], b[at+1] = 0xec, 0x80|byte(size+2) // a void of the same length
	}
	return b
}

// hurt overwrites some bytes in the middle.
func hurt(b []byte) []byte {
	for i := len(b) / 2; i < len(b)/2+3000 && i < len(b); i++ {
		b[i] ^= 0x5a
	}
	return b
}
