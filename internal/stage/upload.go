package stage

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// upload is a result that arrives. It has its name when it is whole.
type upload struct {
	path, id string
	replace  bool
}

// partial is where it is until then: of two workers that send different files for
// one, none writes to the other's.
func (u *upload) partial() string {
	return filepath.Join(filepath.Dir(u.path), "."+filepath.Base(u.path)+"."+u.id[:min(16, len(u.id))]+".partial")
}

// tell answers whether the file is there, and how much of an upload.
func (u *upload) tell(w http.ResponseWriter) {
	if u.id != "" {
		offset := int64(0)
		if info, err := os.Stat(u.partial()); err == nil {
			offset = info.Size()
		}
		w.Header().Set(HeaderOffset, strconv.FormatInt(offset, 10))
	}
	info, err := os.Stat(u.path)
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	w.WriteHeader(http.StatusOK)
}

var contentRange = regexp.MustCompile(`^bytes (\d+)-\d*/(\d+)$`)

var errTaken = errors.New("exists already")

// write appends what comes, and gives the file its name when all is there.
func (u *upload) write(w http.ResponseWriter, r *http.Request) (int, error) {
	m := contentRange.FindStringSubmatch(r.Header.Get("Content-Range"))
	if m == nil || u.id == "" {
		return http.StatusBadRequest, errors.New("Content-Range and the checksum are missing")
	}
	from, errFrom := strconv.ParseInt(m[1], 10, 64)
	total, errTotal := strconv.ParseInt(m[2], 10, 64)
	if err := errors.Join(errFrom, errTotal); err != nil {
		return http.StatusBadRequest, err
	}
	if !u.replace && exists(u.path) {
		return http.StatusPreconditionFailed, errTaken
	}
	if err := os.MkdirAll(filepath.Dir(u.path), 0o777); err != nil {
		return http.StatusForbidden, errors.New("the directory cannot be made")
	}
	have, err := u.add(w, r, from, total)
	if err != nil {
		return http.StatusConflict, err
	}
	if have < total {
		return http.StatusConflict, fmt.Errorf("%d bytes of %d are there", have, total)
	}
	return u.finish()
}

// add returns how much is there then.
func (u *upload) add(w http.ResponseWriter, r *http.Request, from, total int64) (int64, error) {
	f, err := os.OpenFile(u.partial(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() != from {
		return 0, fmt.Errorf("%d bytes are there, not %d", info.Size(), from)
	}
	control := http.NewResponseController(w)
	body := readerFunc(func(p []byte) (int, error) {
		if err := control.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return 0, err
		}
		return r.Body.Read(p)
	})
	n, err := io.Copy(f, io.LimitReader(body, total-from))
	return from + n, errors.Join(err, f.Close())
}

// finish compares the checksum. A file that differs is forgotten: it would differ
// for ever.
func (u *upload) finish() (int, error) {
	sum, err := sumOf(u.partial())
	if err != nil {
		return http.StatusInternalServerError, err
	}
	if hex.EncodeToString(sum) != u.id {
		return http.StatusConflict, errors.Join(errors.New("what came has another checksum"), os.Remove(u.partial()))
	}
	if u.replace {
		err = os.Rename(u.partial(), u.path)
	} else if err = os.Link(u.partial(), u.path); err == nil {
		err = os.Remove(u.partial())
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return http.StatusPreconditionFailed, errors.Join(errTaken, os.Remove(u.partial()))
	case err != nil:
		return http.StatusInternalServerError, err
	}
	return http.StatusCreated, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
