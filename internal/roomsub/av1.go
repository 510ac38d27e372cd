package roomsub

import (
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/pion/rtp/codecs/av1/obu"
)

// inspectAV1 finds the sequence header: encoders for WebRTC send one with each key
// frame (AV1 RTP specification, section 5).
func inspectAV1(f *Frame) {
	header := sequenceHeader(f.Data)
	var s av1.SequenceHeader
	if header == nil || s.Unmarshal(header) != nil {
		return
	}
	f.Key, f.Width, f.Height, f.Private = true, s.Width(), s.Height(), av1Config(s, header)
}

// sequenceHeader is the unit that is one, without its size; nil if there is none.
func sequenceHeader(units []byte) []byte {
	for len(units) > 0 {
		h, err := obu.ParseOBUHeader(units)
		if err != nil || !h.HasSizeField {
			return nil
		}
		size, n, err := obu.ReadLeb128(units[h.Size():])
		begin := h.Size() + int(n)
		if err != nil || int(size) < 0 || int(size) > len(units)-begin {
			return nil
		}
		if h.Type == obu.OBUSequenceHeader {
			h.HasSizeField = false
			return append(h.Marshal(), units[begin:begin+int(size)]...)
		}
		units = units[begin+int(size):]
	}
	return nil
}

// av1Config is an AV1CodecConfigurationRecord (AV1 in ISOBMFF, section 2.3.3), with
// the sequence header.
func av1Config(s av1.SequenceHeader, header []byte) []byte {
	c := s.ColorConfig
	out := []byte{0x81, s.SeqProfile<<5 | s.SeqLevelIdx[0], 0, 0}
	for bit, set := range []bool{c.SubsamplingY, c.SubsamplingX, c.MonoChrome, c.TwelveBit, c.HighBitDepth, s.SeqTier[0]} {
		if set {
			out[2] |= 4 << bit
		}
	}
	out[2] |= byte(c.ChromaSamplePosition) & 3
	sized, _ := av1.Bitstream{header}.Marshal() // it was parsed
	return append(out, sized...)
}
