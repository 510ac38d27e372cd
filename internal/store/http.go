package store

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

// contentTypes are of files that players open.
var contentTypes = map[string]string{
	".mp4": "video/mp4", ".m4s": "video/iso.segment", ".webm": "video/webm", ".mkv": "video/x-matroska", ".ts": "video/mp2t",
	".m3u8": "application/vnd.apple.mpegurl", ".mpd": "application/dash+xml", ".vtt": "text/vtt", ".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
}

func contentType(path string) string {
	if t := contentTypes[filepath.Ext(path)]; t != "" {
		return t
	}
	return "application/octet-stream"
}

// newTransport is one that waits for the head of an answer no longer than
// stallTime.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = stallTime
	return t
}

// httpStore takes files by PUT.
type httpStore struct{ transport http.RoundTripper }

func (s httpStore) do(ctx context.Context, method string, name *url.URL, body io.Reader, fill func(*http.Request)) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, name.String(), body)
	if err != nil {
		return nil, finalError{err}
	}
	if fill != nil {
		fill(r)
	}
	answer, err := (&http.Client{Transport: s.transport}).Do(r)
	if err != nil {
		var of *url.Error // whose text has the password
		if errors.As(err, &of) {
			err = of.Err
		}
		return nil, fmt.Errorf("%s: %w", name.Redacted(), err)
	}
	return answer, nil
}

// head asks about a file; the answer has no body.
func (s httpStore) head(ctx context.Context, name *url.URL) (*http.Response, error) {
	answer, err := s.do(ctx, http.MethodHead, name, nil, nil)
	if err == nil {
		_ = answer.Body.Close()
	}
	return answer, err
}

// refused is the error of an answer; nil where it is none.
func refused(name *url.URL, answer *http.Response) error {
	err := fmt.Errorf("%s: the server answers %s", name.Redacted(), answer.Status)
	switch code := answer.StatusCode; {
	case code < 300:
		return nil
	case code == http.StatusNotFound:
		return finalError{fmt.Errorf("%w: %w", err, fs.ErrNotExist)}
	case code == http.StatusForbidden, code == http.StatusUnauthorized:
		return finalError{fmt.Errorf("%w: %w", err, fs.ErrPermission)}
	case code == http.StatusPreconditionFailed:
		return finalError{fmt.Errorf("%s: %w", name.Redacted(), ErrExists)}
	case code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests:
		return finalError{err}
	}
	return err
}

// Stat is -1 where the server does not say how large a file is.
func (s httpStore) Stat(ctx context.Context, name *url.URL) (int64, error) {
	answer, err := s.head(ctx, name)
	if err != nil {
		return 0, err
	}
	return answer.ContentLength, refused(name, answer)
}

// Fetch is not needed: what is read over HTTP ffmpeg reads itself.
func (s httpStore) Fetch(_ context.Context, name *url.URL, _ string) error {
	return fmt.Errorf("store: %s is not fetched by HTTP", name.Redacted())
}

// Put sends the whole file again where the connection breaks: HTTP has no other
// way.
func (s httpStore) Put(ctx context.Context, path string, name *url.URL, replace bool) error {
	have, err := sumsOf(path)
	if err != nil {
		return err
	}
	err = persist(ctx, func() (bool, error) { return false, s.put(ctx, path, name, replace, have) })
	if err != nil {
		return err
	}
	// A server that takes PUT need not answer HEAD.
	if size, err := s.Stat(ctx, name); err == nil && size >= 0 && size != have.size {
		return fmt.Errorf("%s: %d bytes were sent, and %d are there", name.Redacted(), have.size, size)
	}
	return nil
}

func (s httpStore) put(ctx context.Context, path string, name *url.URL, replace bool, have sums) error {
	f, err := os.Open(path)
	if err != nil {
		return finalError{err}
	}
	defer f.Close()
	ctx, w, stop := watch(ctx)
	defer stop()
	w.Reader = f
	answer, err := s.do(ctx, http.MethodPut, name, w, func(r *http.Request) {
		r.ContentLength = have.size
		if have.size == 0 {
			r.Body = http.NoBody
		}
		r.Header.Set("Content-Type", contentType(path))
		r.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(have.md5))
		r.Header.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(have.sha256)+":")
		if !replace {
			r.Header.Set("If-None-Match", "*")
		}
	})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20))
	return refused(name, answer)
}
