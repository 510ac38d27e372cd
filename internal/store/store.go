// Package store brings files from and to where they are not on a disk: objects
// of S3, servers that take PUT over HTTP, and the machine of a task's caller. What
// arrives is whole and checked, or does not arrive; a broken connection is taken up where it broke.
package store

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/muster-fleet/muster/internal/pause"
)

// ErrExists is that a file is there which must not be replaced.
var ErrExists = errors.New("exists already")

// Store is one kind of place. Errors are fs.ErrNotExist, fs.ErrPermission and
// ErrExists where they are known to be.
type Store interface {
	// Stat returns the size of a file in bytes.
	Stat(ctx context.Context, name *url.URL) (int64, error)
	// Fetch brings a file to a path.
	Fetch(ctx context.Context, name *url.URL, path string) error
	// Put brings a path to a file; unless replace is set there must be none.
	Put(ctx context.Context, path string, name *url.URL, replace bool) error
}

// Open returns the store for the scheme of a URL: s3, http, https or stage. S3 takes its
// endpoint, keys and region from the variables AWS_ENDPOINT_URL,
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, keys also from AWS's
// file of credentials and from the machine's role.
func Open(scheme string) (Store, error) {
	switch scheme {
	case "s3":
		return openS3()
	case "http", "https":
		return httpStore{newTransport()}, nil
	case "stage":
		return stageStore{httpStore{newTransport()}}, nil
	}
	return nil, fmt.Errorf("store: %s: is not known: use s3, http or https", scheme)
}

// A transfer that breaks is tried again so often without a byte of progress, the
// pauses doubling from the first.
const (
	mostTries  = 5
	firstPause = 200 * time.Millisecond
	// stallTime is how long a connection may be silent.
	stallTime = 30 * time.Second
)

// persist calls try until it is done. More is set where the last try brought
// something: then the count begins again.
func persist(ctx context.Context, try func() (more bool, err error)) error {
	delay := firstPause
	for tries := 1; ; tries++ {
		more, err := try()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case final(err):
			return err
		case more:
			tries, delay = 0, firstPause
		case tries >= mostTries:
			return fmt.Errorf("after %d tries: %w", tries, err)
		}
		if !pause.For(ctx, delay) {
			return context.Cause(ctx)
		}
		delay *= 2
	}
}

// download fetches size bytes into a new file, and goes on where it broke: rest
// appends what is behind an offset to the file, and returns how much that was.
func download(ctx context.Context, path string, size int64, rest func(f *os.File, at int64) (int64, error)) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	var at int64
	err = persist(ctx, func() (bool, error) {
		n, err := rest(f, at)
		at += n
		if err == nil && at < size {
			err = io.ErrUnexpectedEOF
		}
		return n > 0, err
	})
	return errors.Join(err, f.Close())
}

// finalError is one that the next try would meet as well.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

func final(err error) bool { return errors.As(err, new(finalError)) }

// sums are checksums of a file.
type sums struct {
	size   int64
	md5    []byte
	sha256 []byte
}

func sumsOf(path string) (s sums, err error) {
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	m, sha := md5.New(), sha256.New()
	if s.size, err = io.Copy(io.MultiWriter(m, sha), f); err != nil {
		return s, err
	}
	s.md5, s.sha256 = m.Sum(nil), sha.Sum(nil)
	return s, nil
}

// plainETag is the MD5 in an ETag, "" where it is none, as of an object that came
// in parts.
func plainETag(etag string) string {
	etag = strings.Trim(etag, `"`)
	if raw, err := hex.DecodeString(etag); err != nil || len(raw) != md5.Size {
		return ""
	}
	return etag
}

// watched cancels a context when a reader is silent for stallTime.
type watched struct {
	io.Reader
	timer *time.Timer
}

func watch(ctx context.Context) (context.Context, *watched, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watched{timer: time.AfterFunc(stallTime, func() { cancel(fmt.Errorf("nothing came for %v", stallTime)) })}
	return ctx, w, func() { w.timer.Stop(); cancel(nil) }
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.timer.Reset(stallTime)
	return n, err
}
