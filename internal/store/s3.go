package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// sumName is the member of an object's metadata with the SHA-256 of its content.
const sumName = "Muster-Sha256"

// partSize is that of the parts in which large objects are sent.
const partSize = 16 << 20

type s3Store struct{ core minio.Core }

func openS3() (Store, error) {
	endpoint := cmp.Or(os.Getenv("AWS_ENDPOINT_URL_S3"), os.Getenv("AWS_ENDPOINT_URL"), "https://s3.amazonaws.com")
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("store: AWS_ENDPOINT_URL must be a URL such as https://s3.example, not %q", endpoint)
	}
	region := cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"))
	c, err := minio.New(u.Host, &minio.Options{
		Secure: u.Scheme == "https", Region: region, Transport: newTransport(),
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Timeout: stallTime}},
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return s3Store{minio.Core{Client: c}}, nil
}

// keyOf is what follows the bucket.
func keyOf(name *url.URL) string { return strings.TrimPrefix(name.Path, "/") }

func (s s3Store) Stat(ctx context.Context, name *url.URL) (int64, error) {
	info, err := s.core.StatObject(ctx, name.Host, keyOf(name), minio.StatObjectOptions{})
	return info.Size, sorted(name, err)
}

// sorted names the kind of an error, and what it is about.
func sorted(name *url.URL, err error) error {
	if err == nil {
		return nil
	}
	kind := err
	switch minio.ToErrorResponse(err).StatusCode {
	case http.StatusNotFound:
		kind = finalError{fs.ErrNotExist}
	case http.StatusForbidden, http.StatusUnauthorized:
		kind = finalError{fmt.Errorf("%w: %w", fs.ErrPermission, err)}
	case http.StatusPreconditionFailed, http.StatusConflict:
		kind = finalError{ErrExists}
	case http.StatusBadRequest, http.StatusNotImplemented:
		kind = finalError{err}
	}
	return fmt.Errorf("%s: %w", name.Redacted(), kind)
}

// Fetch takes up what broke at the byte where it broke, of the same version of
// the object, and compares the checksum in the end.
func (s s3Store) Fetch(ctx context.Context, name *url.URL, path string) error {
	var info minio.ObjectInfo
	err := persist(ctx, func() (more bool, err error) {
		info, err = s.core.StatObject(ctx, name.Host, keyOf(name), minio.StatObjectOptions{})
		return false, sorted(name, err)
	})
	if err != nil {
		return err
	}
	err = download(ctx, path, info.Size, func(f *os.File, at int64) (int64, error) { return s.rest(ctx, name, f, info, at) })
	if err != nil {
		return err
	}
	return whole(name, path, info)
}

// rest appends what is behind an offset.
func (s s3Store) rest(ctx context.Context, name *url.URL, f *os.File, info minio.ObjectInfo, at int64) (int64, error) {
	if at >= info.Size {
		return 0, nil
	}
	ctx, w, stop := watch(ctx)
	defer stop()
	var opts minio.GetObjectOptions
	if info.ETag != "" { // some servers have none of what they did not take themselves
		if err := opts.SetMatchETag(info.ETag); err != nil {
			return 0, finalError{err}
		}
	}
	if at > 0 {
		if err := opts.SetRange(at, 0); err != nil {
			return 0, finalError{err}
		}
	}
	body, _, _, err := s.core.GetObject(ctx, name.Host, keyOf(name), opts)
	if minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
		return 0, finalError{fmt.Errorf("%s: changed while it was read", name.Redacted())}
	}
	if err != nil {
		return 0, sorted(name, err)
	}
	defer body.Close()
	w.Reader = body
	return io.Copy(f, w)
}

// whole compares a file with what is known of an object.
func whole(name *url.URL, path string, info minio.ObjectInfo) error {
	have, err := sumsOf(path)
	if err != nil {
		return err
	}
	sum := info.UserMetadata[sumName]
	etag := plainETag(info.ETag)
	switch {
	case have.size != info.Size:
		return fmt.Errorf("%s: %d bytes came of %d", name.Redacted(), have.size, info.Size)
	case sum != "" && sum != hex.EncodeToString(have.sha256):
		return fmt.Errorf("%s: its content is not what was put there: the SHA-256 differs", name.Redacted())
	case sum == "" && etag != "" && info.Metadata.Get("X-Amz-Server-Side-Encryption") == "" && etag != hex.EncodeToString(have.md5):
		return fmt.Errorf("%s: its content changed on the way: the MD5 differs", name.Redacted())
	}
	return nil
}

// Put sends large files in parts, each of which is checked and tried again by
// itself. Some servers heed the condition that nothing is there only of what
// comes in one part; so it is looked at first.
func (s s3Store) Put(ctx context.Context, path string, name *url.URL, replace bool) error {
	have, err := sumsOf(path)
	if err != nil {
		return err
	}
	opts := minio.PutObjectOptions{
		PartSize: partSize, SendContentMd5: true, UserMetadata: map[string]string{sumName: hex.EncodeToString(have.sha256)}, ContentType: contentType(path),
	}
	if !replace {
		if _, err := s.Stat(ctx, name); err == nil {
			return fmt.Errorf("%s: %w", name.Redacted(), ErrExists)
		}
		opts.SetMatchETagExcept("*")
	}
	_, err = s.core.FPutObject(ctx, name.Host, keyOf(name), path, opts)
	if err != nil {
		return sorted(name, err)
	}
	if size, err := s.Stat(ctx, name); err != nil || size != have.size {
		return fmt.Errorf("%s: %d bytes were sent, and %d are there: %w", name.Redacted(), have.size, size, errors.Join(err, io.ErrShortWrite))
	}
	return nil
}
