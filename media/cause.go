package media

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/muster-fleet/muster"
)

// causedError is an error that says what it lies at.
type causedError struct {
	error
	cause muster.Cause
}

func (e causedError) Unwrap() error { return e.error }

// TaskCause is read by package node.
func (e causedError) TaskCause() muster.Cause { return e.cause }

// atInput says that an error lies at the input: every worker would fail.
func atInput(err error) error { return caused(err, muster.CauseInput) }

// refused reports whether an error lies at the input, so that another try would end
// in the same way.
func refused(err error) bool {
	var says causedError
	return errors.As(err, &says) && says.cause == muster.CauseInput
}

func caused(err error, cause muster.Cause) error {
	if err == nil || errors.As(err, new(causedError)) {
		return err
	}
	return causedError{err, cause}
}

// wordsOfInput are ffmpeg's for what is wrong with an input, wordsOfWorker for
// what is wrong with a machine.
var (
	wordsOfInput  = []string{"Invalid data found", "moov atom not found", "does not contain any stream", "matches no streams", "Could not find codec parameters", "Decoder not found", "Invalid NAL unit size"}
	wordsOfWorker = []string{"No space left", "Permission denied", "Read-only file system", "Cannot allocate memory", "No such file", "Disk quota", "Too many open files"}
)

// sorted finds out what a failure lies at. What is not known counts as passing.
// What comes over the network may be better next time.
func sorted(err error, input place) error {
	if err == nil || errors.As(err, new(causedError)) {
		return err
	}
	text := err.Error()
	has := func(words []string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), has(wordsOfWorker):
		return caused(err, muster.CauseWorker)
	case errors.Is(err, errExists), input.file() && has(wordsOfInput):
		return atInput(err)
	}
	return caused(err, muster.CausePassing)
}
