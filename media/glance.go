package media

import (
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/muster-fleet/muster/internal/h264"
)

// mostHead bounds the head of a file that is read here.
const mostHead = 32 << 20

// errNotPlain is the reason to ask ffprobe.
var errNotPlain = errors.New("not a plain file")

// glance reads the head of the commonest files itself, as a start of ffprobe
// takes longer than much of the work: mp4 with upright, progressive H.264 in
// square pixels and SDR, and AAC. Where anything else is in the file, or nothing
// is understood, the answer is nil, and ffprobe is asked.
func glance(path string) *Probe {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	head, err := headOf(f)
	if err != nil {
		return nil
	}
	p, err := head.probe()
	if err != nil {
		return nil
	}
	return p
}

// box is a part of an mp4 file, without its length and name.
type box []byte

// headOf finds the box moov of a file.
func headOf(f io.ReaderAt) (box, error) {
	first := true
	for at := int64(0); ; {
		var h [16]byte
		if n, _ := f.ReadAt(h[:], at); n < 8 {
			return nil, errNotPlain
		}
		size, name, skip := int64(binary.BigEndian.Uint32(h[:])), string(h[4:8]), int64(8)
		if size == 1 {
			size, skip = int64(binary.BigEndian.Uint64(h[8:])), 16
		}
		switch {
		case first && name != "ftyp", size < skip || size > 1<<50:
			return nil, errNotPlain
		case name == "moof" || name == "moov" && size > mostHead:
			return nil, errNotPlain
		case name == "moov":
			b := make(box, size-skip)
			if _, err := f.ReadAt(b, at+skip); err != nil {
				return nil, errNotPlain
			}
			return b, nil
		}
		first = false
		at += size
	}
}

// each goes through the boxes in a box.
func (b box) each(visit func(name string, inner box) error) error {
	for len(b) > 0 {
		if len(b) < 8 {
			return errNotPlain
		}
		size := int64(binary.BigEndian.Uint32(b))
		if size < 8 || size > int64(len(b)) {
			return errNotPlain
		}
		if err := visit(string(b[4:8]), b[8:size]); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

// find is the one box of a name, nil where there is none.
func (b box) find(path ...string) (box, error) {
	for _, name := range path {
		var found box
		err := b.each(func(n string, inner box) error {
			if n == name {
				if found != nil {
					return errNotPlain
				}
				found = inner
			}
			return nil
		})
		if err != nil || found == nil {
			return nil, err
		}
		b = found
	}
	return b, nil
}

// need is find for a box that must be there and have some bytes.
func (b box) need(least int, path ...string) (box, error) {
	found, err := b.find(path...)
	if err != nil || len(found) < least {
		return nil, errNotPlain
	}
	return found, nil
}

func (b box) u16(at int) int   { return int(binary.BigEndian.Uint16(b[at:])) }
func (b box) u32(at int) int64 { return int64(binary.BigEndian.Uint32(b[at:])) }

// clockOf reads the unit and the length of mvhd and mdhd, and what follows.
func (b box) clockOf() (unit, length float64, rest box, err error) {
	switch {
	case len(b) >= 24 && b[0] == 0:
		unit, length, rest = float64(b.u32(12)), float64(b.u32(16)), b[20:]
	case len(b) >= 36 && b[0] == 1:
		unit, length, rest = float64(b.u32(20)), float64(b.u32(24))*(1<<32)+float64(b.u32(28)), b[32:]
	default:
		return 0, 0, nil, errNotPlain
	}
	if unit == 0 || length == 0 || length >= 1<<32-1 && b[0] == 0 {
		return 0, 0, nil, errNotPlain
	}
	return unit, length, rest, nil
}

// probe reads a head.
func (b box) probe() (*Probe, error) {
	mvhd, err := b.need(24, "mvhd")
	if err != nil {
		return nil, err
	}
	unit, length, _, err := mvhd.clockOf()
	if err != nil {
		return nil, err
	}
	p := &Probe{Seconds: length / unit, Container: "mov,mp4,m4a,3gp,3g2,mj2"}
	err = b.each(func(name string, inner box) error {
		switch name {
		case "mvhd", "free", "skip":
		case "udta":
			return inner.plainTags()
		case "trak":
			s, err := inner.track(unit)
			if err != nil {
				return err
			}
			s.Index = len(p.Streams)
			p.Streams = append(p.Streams, s)
		default:
			return errNotPlain
		}
		return nil
	})
	if err != nil || len(p.Streams) == 0 {
		return nil, errNotPlain
	}
	return p, nil
}

// plainTags refuses tags that become streams: covers and chapters.
func (b box) plainTags() error {
	return b.each(func(name string, inner box) error {
		if name != "meta" || len(inner) < 4 {
			return errNotPlain
		}
		list, err := inner[4:].find("ilst")
		if err != nil {
			return err
		}
		return list.each(func(name string, _ box) error {
			if name == "covr" {
				return errNotPlain
			}
			return nil
		})
	})
}

// upright is the matrix of a picture that is not turned.
var upright = [9]int64{0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000}

// track reads a trak.
func (b box) track(unit float64) (StreamInfo, error) {
	s := StreamInfo{Shape: 1}
	for _, known := range []string{"tref", "meta", "udta"} {
		if found, err := b.find(known); err != nil || found != nil {
			return s, errNotPlain
		}
	}
	tkhd, err := b.need(84, "tkhd")
	if err != nil {
		return s, err
	}
	matrix := tkhd[40:]
	if tkhd[0] == 1 {
		if len(tkhd) < 96 {
			return s, errNotPlain
		}
		matrix = tkhd[52:]
	}
	for i, want := range upright {
		if matrix.u32(4*i) != want {
			return s, errNotPlain
		}
	}
	s.Default = tkhd[3]&1 != 0
	mdhd, err := b.need(24, "mdia", "mdhd")
	if err != nil {
		return s, err
	}
	own, length, rest, err := mdhd.clockOf()
	if err != nil || len(rest) < 2 {
		return s, errNotPlain
	}
	s.Seconds = length / own
	s.Language = language(rest.u16(0))
	edited, err := b.edit(unit, &s)
	if err != nil {
		return s, err
	}
	hdlr, err := b.need(12, "mdia", "hdlr")
	if err != nil {
		return s, err
	}
	table, err := b.need(8, "mdia", "minf", "stbl")
	if err != nil {
		return s, err
	}
	switch string(hdlr[8:12]) {
	case "vide":
		return s, table.video(own, edited, &s)
	case "soun":
		return s, table.audio(&s)
	}
	return s, errNotPlain
}

// language is a code of three letters, of five bits each.
func language(code int) string {
	if code < 0x400 { // a code of QuickTime
		return ""
	}
	return string([]byte{byte(code>>10&31) + 0x60, byte(code>>5&31) + 0x60, byte(code&31) + 0x60})
}

// edit reads an edit list of one entry that only skips what decoders need
// first.
func (b box) edit(unit float64, s *StreamInfo) (edited bool, err error) {
	list, err := b.find("edts", "elst")
	if err != nil || list == nil {
		return false, err
	}
	if len(list) != 20 || list[0] != 0 || list.u32(4) != 1 || list.u32(8) == 0 || list.u32(12) >= 1<<31 || list.u32(16) != 0x10000 {
		return false, errNotPlain
	}
	s.Seconds = float64(list.u32(8)) / unit
	return true, nil
}

// entry is the one sample description of a table.
func (b box) entry(name string, least int) (box, error) {
	stsd, err := b.need(8, "stsd")
	if err != nil || stsd.u32(4) != 1 {
		return nil, errNotPlain
	}
	return stsd[8:].need(least, name)
}

func (b box) video(unit float64, edited bool, s *StreamInfo) error {
	entry, err := b.entry("avc1", 78)
	if err != nil {
		return err
	}
	s.Kind, s.Codec, s.Width, s.Height = "video", "h264", entry.u16(24), entry.u16(26)
	boxes := entry[78:]
	if pasp, err := boxes.find("pasp"); err != nil || pasp != nil && (len(pasp) < 8 || pasp.u32(0) != pasp.u32(4)) {
		return errNotPlain
	}
	if colr, err := boxes.find("colr"); err != nil || colr != nil && !colr.plainColour(s) {
		return errNotPlain
	}
	config, err := boxes.need(8, "avcC")
	if err != nil || config[5]&31 == 0 || len(config) < 8+config.u16(6) {
		return errNotPlain
	}
	shown, err := h264.ReadSPS(config[8 : 8+config.u16(6)])
	if err != nil || shown.Width != s.Width || shown.Height != s.Height {
		return errNotPlain
	}
	if s.transfer == "" {
		s.transfer = shown.Transfer
	}
	composed, err := b.find("ctts")
	if err != nil || composed != nil && !edited {
		return errNotPlain
	}
	s.reordered = composed != nil
	times, err := b.need(16, "stts")
	if err != nil || times.u32(4) != 1 || times.u32(12) == 0 {
		return errNotPlain // its rate changes
	}
	s.FPS = unit / float64(times.u32(12))
	s.peak = s.FPS
	return nil
}

// plainColour reads a colr box; false is one that is not of SDR.
func (b box) plainColour(s *StreamInfo) bool {
	if len(b) < 10 || string(b[:4]) != "nclx" && string(b[:4]) != "nclc" {
		return false
	}
	word, known := h264.Transfers[b.u16(6)]
	s.transfer = word
	return known
}

// layoutOf are the arrangements of AAC that need no second look.
var layoutOf = map[int]string{1: "mono", 2: "stereo", 6: "5.1"}

func (b box) audio(s *StreamInfo) error {
	entry, err := b.entry("mp4a", 28)
	if err != nil || entry.u16(8) != 0 { // a sound description of QuickTime
		return errNotPlain
	}
	esds, err := entry[28:].need(16, "esds")
	if err != nil {
		return err
	}
	config, err := esds.specific()
	if err != nil || len(config) < 2 {
		return errNotPlain
	}
	// Five bits are the kind of AAC, where 2 is LC; four are the rate, and four the
	// channels.
	kind, rate := config[0]>>3, config[0]&7<<1|config[1]>>7
	if kind != 2 || rate < 3 || rate > 12 || config.secondBand(rate) {
		return errNotPlain
	}
	s.Kind, s.Codec, s.Channels = "audio", "aac", int(config[1]>>3&15)
	layout, known := layoutOf[s.Channels]
	if !known {
		return errNotPlain
	}
	s.Layout = layout
	return nil
}

// secondBand reports whether an AudioSpecificConfig may be of HE-AAC, which
// plays at twice the rate: it says so, or is of 24 kHz and less, and does not say
// otherwise.
func (b box) secondBand(rate byte) bool {
	if len(b) < 5 || b.u16(2)>>5 != 0x2b7 {
		return rate >= 6
	}
	return b[4]&0x80 != 0
}

// specific is the AudioSpecificConfig in an esds.
func (b box) specific() (box, error) {
	b = b[4:]
	for _, step := range []struct {
		tag  byte
		skip int
	}{{3, 3}, {4, 13}, {5, 0}} {
		if len(b) < 2 || b[0] != step.tag {
			return nil, errNotPlain
		}
		size, n := 0, 1
		for more := true; more; n++ {
			if n >= len(b) || n > 4 {
				return nil, errNotPlain
			}
			size, more = size<<7|int(b[n]&0x7f), b[n]&0x80 != 0
		}
		if len(b) < n+size || size < step.skip {
			return nil, errNotPlain
		}
		b = b[n+step.skip : n+size]
	}
	return b, nil
}
