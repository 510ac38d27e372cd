package raft

import (
	"bufio"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// maxFrame is the largest frame that is accepted, in bytes: several of the
// library's largest messages.
const maxFrame = 16 << 20

// frameHead is the number of bytes before a frame's body.
const frameHead = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal protects the frames of one direction of a connection. With a key, each
// is encrypted and numbered, so that nothing can be read, changed, repeated or
// left out; without one (inside TLS, which does that) it has a checksum.
type seal struct {
	aead  cipher.AEAD
	count uint64
}

func (s *seal) nonce() []byte {
	s.count++
	return binary.BigEndian.AppendUint64(make([]byte, 4, 12), s.count)
}

// appendFrame appends a frame: length, then the sealed body.
func (s *seal) appendFrame(buf, body []byte) []byte {
	head := len(buf)
	buf = append(buf, 0, 0, 0, 0)
	if s.aead != nil {
		buf = s.aead.Seal(buf, s.nonce(), body, nil)
	} else {
		buf = append(buf, body...)
		buf = binary.BigEndian.AppendUint32(buf, crc32.Checksum(body, castagnoli))
	}
	binary.BigEndian.PutUint32(buf[head:], uint32(len(buf)-head-frameHead))
	return buf
}

// open returns the body of a frame, in the memory of the frame.
func (s *seal) open(frame []byte) ([]byte, error) {
	if s.aead != nil {
		body, err := s.aead.Open(frame[:0], s.nonce(), frame, nil)
		if err != nil {
			return nil, fmt.Errorf("frame: %w: it was changed, or has another key", errMalformed)
		}
		return body, nil
	}
	n := len(frame) - crc32.Size
	if n < 0 || crc32.Checksum(frame[:n], castagnoli) != binary.BigEndian.Uint32(frame[n:]) {
		return nil, fmt.Errorf("frame: %w: wrong checksum", errMalformed)
	}
	return frame[:n], nil
}

// readFrame reads a frame of at most limit bytes. It allocates memory as the bytes
// arrive, not for the length that the frame claims.
func readFrame(r *bufio.Reader, limit int) ([]byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head[:]))
	if n > limit {
		return nil, fmt.Errorf("frame of %d bytes: %w: at most %d are taken", n, errMalformed, limit)
	}
	return readN(r, n)
}

// readN reads n bytes, in steps.
func readN(r io.Reader, n int) ([]byte, error) {
	const step = 64 << 10
	buf := make([]byte, 0, min(n, step))
	for len(buf) < n {
		have := len(buf)
		more := min(n-have, max(step, have))
		buf = append(buf, make([]byte, more)...)
		if _, err := io.ReadFull(r, buf[have:]); err != nil {
			return nil, fmt.Errorf("frame cut off: %w", err)
		}
	}
	return buf, nil
}

// splitMessages calls f for each of the messages in a frame's body.
func splitMessages(body []byte, f func(Message)) error {
	r := newReader(body)
	for len(r.Buf) > 0 {
		data := r.Bytes()
		if r.Bad() {
			return fmt.Errorf("frame: %w", errMalformed)
		}
		m, err := decodeMessage(data)
		if err != nil {
			return err
		}
		f(m)
	}
	if r.Bad() {
		return fmt.Errorf("frame: %w", errMalformed)
	}
	return nil
}
