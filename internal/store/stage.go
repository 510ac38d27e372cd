package store

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/muster-fleet/muster/internal/stage"
)

// stageStore is a stage.Server: that of the caller of the task.
type stageStore struct{ httpStore }

// plain is the URL by which it is reached.
func plain(name *url.URL) *url.URL {
	u := *name
	u.Scheme = "http"
	return &u
}

// version is what a file is when its transfer begins.
type version struct {
	size int64
	etag string
	sum  string // SHA-256 in base64
}

func (s stageStore) Stat(ctx context.Context, name *url.URL) (int64, error) {
	return s.httpStore.Stat(ctx, plain(name))
}

// Fetch takes up what broke at the byte where it broke, of the same version of the
// file, and compares the checksum in the end.
func (s stageStore) Fetch(ctx context.Context, name *url.URL, path string) error {
	var v version
	err := persist(ctx, func() (more bool, err error) {
		v, err = s.version(ctx, name)
		return false, err
	})
	if err != nil {
		return err
	}
	err = download(ctx, path, v.size, func(f *os.File, at int64) (int64, error) { return s.rest(ctx, name, f, v, at) })
	if err != nil {
		return err
	}
	have, err := sumsOf(path)
	if err == nil && base64.StdEncoding.EncodeToString(have.sha256) != v.sum {
		err = fmt.Errorf("%s: its content changed on the way: the SHA-256 differs", name.Host)
	}
	return err
}

func (s stageStore) version(ctx context.Context, name *url.URL) (version, error) {
	answer, err := s.head(ctx, plain(name))
	if err != nil {
		return version{}, err
	}
	sum, _ := strings.CutPrefix(answer.Header.Get("Repr-Digest"), "sha-256=:")
	return version{answer.ContentLength, answer.Header.Get("ETag"), strings.TrimSuffix(sum, ":")}, refused(name, answer)
}

// rest appends what is behind an offset.
func (s stageStore) rest(ctx context.Context, name *url.URL, f *os.File, v version, at int64) (int64, error) {
	if at >= v.size {
		return 0, nil
	}
	ctx, w, stop := watch(ctx)
	defer stop()
	answer, err := s.do(ctx, http.MethodGet, plain(name), nil, func(r *http.Request) {
		r.Header.Set("If-Match", v.etag)
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
	})
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusPartialContent:
	case http.StatusPreconditionFailed:
		return 0, finalError{fmt.Errorf("%s: changed while it was read", name.Host)}
	default:
		return 0, errors.Join(refused(name, answer), fmt.Errorf("%s: the server answers %s", name.Host, answer.Status))
	}
	w.Reader = answer.Body
	return io.Copy(f, w)
}

// Put goes on where a broken connection left off.
func (s stageStore) Put(ctx context.Context, path string, name *url.URL, replace bool) error {
	have, err := sumsOf(path)
	if err != nil {
		return err
	}
	at := plain(name)
	at.RawQuery = url.Values{stage.ParamUpload: {hex.EncodeToString(have.sha256)}}.Encode()
	last := int64(-1)
	return persist(ctx, func() (bool, error) {
		offset, err := s.offset(ctx, at)
		if err != nil {
			return false, err
		}
		more := last >= 0 && offset > last
		last = offset
		return more, s.send(ctx, path, at, offset, have.size, replace)
	})
}

// offset is how much of an upload is there.
func (s stageStore) offset(ctx context.Context, at *url.URL) (int64, error) {
	answer, err := s.head(ctx, at)
	if err != nil {
		return 0, err
	}
	text := answer.Header.Get(stage.HeaderOffset)
	if text == "" {
		return 0, finalError{fmt.Errorf("%s does not take this result: it answers %s", at.Host, answer.Status)}
	}
	return strconv.ParseInt(text, 10, 64)
}

func (s stageStore) send(ctx context.Context, path string, at *url.URL, offset, size int64, replace bool) error {
	f, err := os.Open(path)
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		return finalError{err}
	}
	defer f.Close()
	ctx, w, stop := watch(ctx)
	defer stop()
	w.Reader = f
	answer, err := s.do(ctx, http.MethodPut, at, w, func(r *http.Request) {
		r.ContentLength = size - offset
		if r.ContentLength == 0 {
			r.Body = http.NoBody
		}
		r.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, max(offset, size-1), size))
		if !replace {
			r.Header.Set("If-None-Match", "*")
		}
	})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusConflict { // less than all came
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 200))
		return fmt.Errorf("%s: %s", at.Host, strings.TrimSpace(string(text)))
	}
	return refused(&url.URL{Host: at.Host}, answer)
}
