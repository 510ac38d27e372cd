package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
)

// lacking says what a file lacks of what its head announces, "" where that is
// nothing or not known. ffprobe takes the length of these from what there is.
func lacking(path string, p *Probe) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	size := info.Size()
	head := make([]byte, min(size, 4096))
	if _, err := f.ReadAt(head, 0); err != nil {
		return ""
	}
	if announced := announcedSize(p, head); announced > size {
		return fmt.Sprintf("the file has %d of the %d bytes that it announces", size, announced)
	}
	tail := make([]byte, 4096)
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil || !p.endsInMedia() {
		return ""
	}
	if bytes.Count(tail, []byte{0}) == len(tail) {
		return "the file ends in zeros, as one that is still being copied"
	}
	return ""
}

// fileProperties begins what an ASF file says of its size.
var fileProperties = []byte{0xa1, 0xdc, 0xab, 0x8c, 0x47, 0xa9, 0xcf, 0x11, 0x8e, 0xe4, 0x00, 0xc0, 0x0c, 0x20, 0x53, 0x65}

// announcedSize is the size in bytes that the head of a file says, 0 where it says
// none, as where it was written to a pipe.
func announcedSize(p *Probe, head []byte) int64 {
	switch {
	case (p.is("wav") || p.is("avi")) && len(head) >= 12 && string(head[:4]) == "RIFF":
		if size := binary.LittleEndian.Uint32(head[4:]); size != 0xffffffff {
			return int64(size) + 8
		}
	case p.is("asf"):
		if at := bytes.Index(head, fileProperties); at >= 0 && at+48 <= len(head) {
			return int64(min(binary.LittleEndian.Uint64(head[at+40:]), 1<<62))
		}
	}
	return 0
}

// endsInMedia reports whether a file can be taken to end in coded media, which is
// never all zeros.
func (p *Probe) endsInMedia() bool {
	return (p.is("mov") || p.is("matroska")) && !slices.ContainsFunc(p.Streams, func(s StreamInfo) bool { return strings.HasPrefix(s.Codec, "pcm_") || s.Codec == "rawvideo" })
}
