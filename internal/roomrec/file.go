package roomrec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/at-wat/ebml-go/mkvcore"
	"github.com/at-wat/ebml-go/webm"
)

// file is a track as it is written: WebM or Matroska whose size is not known, so
// that what is there can be played at any time.
type file struct {
	frames mkvcore.BlockWriteCloser
	out    *steady
}

// steady is a writer whose first error is kept: the muxer does not cope with one.
type steady struct {
	to io.WriteCloser

	mu     sync.Mutex
	failed error
}

func (s *steady) Write(p []byte) (int, error) {
	if s.err() == nil {
		_, err := s.to.Write(p)
		s.fail(err)
	}
	return len(p), nil
}

func (s *steady) Close() error {
	s.fail(s.to.Close())
	return nil
}

func (s *steady) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
}

func (s *steady) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// What Opus needs to know: 80 ms are decoded before what is shown after a seek
// (RFC 7845).
const opusPreRoll = 80 * time.Millisecond

// createFile begins a file with what its first frame says. began is the time of
// that frame.
func createFile(in *os.Root, name string, f format, first frame, began time.Time) (*file, error) {
	out, err := in.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	header := *webm.DefaultEBMLHeader
	if !f.webm {
		header.DocType = "matroska"
	}
	entry := webm.TrackEntry{TrackNumber: 1, TrackUID: 1, CodecID: f.id, CodecPrivate: first.private, TrackType: 1}
	if f.sound {
		entry.TrackType = 2
		entry.CodecPrivate, entry.SeekPreRoll = opusHead(), uint64(opusPreRoll)
		entry.Audio = &webm.Audio{SamplingFrequency: 48000, Channels: 2}
	} else {
		entry.Video = &webm.Video{PixelWidth: uint64(first.width), PixelHeight: uint64(first.height)}
	}
	s := &steady{to: out}
	info := &webm.Info{TimecodeScale: uint64(time.Millisecond), MuxingApp: "muster", WritingApp: "muster", DateUTC: began}
	writers, err := mkvcore.NewSimpleBlockWriter(s, []mkvcore.TrackDescription{{TrackNumber: 1, TrackEntry: entry}},
		mkvcore.WithEBMLHeader(&header), mkvcore.WithSegmentInfo(info))
	if err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("roomrec: %s: %w", name, err)
	}
	return &file{writers[0], s}, nil
}

// opusHead is the identification header of RFC 7845, section 5.1: two channels,
// nothing to skip, since the beginning is somewhere in a stream.
func opusHead() []byte {
	var b bytes.Buffer
	b.WriteString("OpusHead")
	b.Write([]byte{1, 2})
	b.Write(binary.LittleEndian.AppendUint16(nil, 0))
	b.Write(binary.LittleEndian.AppendUint32(nil, 48000))
	b.Write([]byte{0, 0, 0})
	return b.Bytes()
}

// write adds a frame at a time since the first one, in milliseconds. It fails if
// something before could not be written.
func (f *file) write(data []byte, key bool, at int64) error {
	_, _ = f.frames.Write(key, at, data)
	return f.out.err()
}

// close ends the file.
func (f *file) close() error {
	_ = f.frames.Close()
	return f.out.err()
}
