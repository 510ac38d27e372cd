package roomsub

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/at-wat/ebml-go/mkvcore"
	"github.com/at-wat/ebml-go/webm"
)

// Writer writes tracks as WebM or Matroska whose size is not known, so that what is
// there can be played at any time.
type Writer struct {
	tracks []mkvcore.BlockWriteCloser
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

// NewWriter begins one track with what its first frame says. began is the time of
// that frame. Close closes out, too.
func NewWriter(out io.WriteCloser, c Codec, first Frame, began time.Time) (*Writer, error) {
	return Mux(out, c.WebM, began, Entry(1, c, first))
}

// Entry is that of a track, by its number, with what its first frame says.
func Entry(number int, c Codec, first Frame) webm.TrackEntry {
	entry := webm.TrackEntry{TrackNumber: uint64(number), TrackUID: uint64(number), CodecID: c.Matroska, CodecPrivate: first.Private, TrackType: 1}
	if c.Sound {
		entry.TrackType = 2
		entry.CodecPrivate, entry.SeekPreRoll = opusHead(), uint64(opusPreRoll)
		entry.Audio = &webm.Audio{SamplingFrequency: 48000, Channels: 2}
	} else {
		entry.Video = &webm.Video{PixelWidth: uint64(first.Width), PixelHeight: uint64(first.Height)}
	}
	return entry
}

// Mux begins tracks in the form of WebM or of Matroska, with their entries in the
// order of their numbers, as webm.TrackEntry. Close closes out, too.
func Mux(out io.WriteCloser, isWebM bool, began time.Time, entries ...any) (*Writer, error) {
	header := *webm.DefaultEBMLHeader
	if !isWebM {
		header.DocType = "matroska"
	}
	var tracks []mkvcore.TrackDescription
	for i, e := range entries {
		tracks = append(tracks, mkvcore.TrackDescription{TrackNumber: uint64(i + 1), TrackEntry: e})
	}
	s := &steady{to: out}
	info := &webm.Info{TimecodeScale: uint64(time.Millisecond), MuxingApp: "muster", WritingApp: "muster", DateUTC: began}
	writers, err := mkvcore.NewSimpleBlockWriter(s, tracks, mkvcore.WithEBMLHeader(&header), mkvcore.WithSegmentInfo(info))
	if err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("roomsub: %w", err)
	}
	return &Writer{writers, s}, nil
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

// Write adds a frame of the first track at a time since its first one, in
// milliseconds. It fails if something before could not be written.
func (w *Writer) Write(f Frame, at int64) error { return w.WriteTo(1, f.Key, at, f.Data) }

// WriteTo is Write for a track by its number. The data must not change afterwards.
func (w *Writer) WriteTo(track int, key bool, at int64, data []byte) error {
	_, _ = w.tracks[track-1].Write(key, at, data)
	return w.out.err()
}

// Close ends the tracks.
func (w *Writer) Close() error {
	for _, t := range w.tracks {
		_ = t.Close()
	}
	return w.out.err()
}
