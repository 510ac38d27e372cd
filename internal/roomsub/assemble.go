package roomsub

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4/pkg/media/samplebuilder"

	"github.com/muster-fleet/muster/internal/h264"
)

// mostLate is how many packets are waited for one that is missing, which is
// asked for meanwhile.
const mostLate = 200

// Frame is a picture, or a piece of sound.
type Frame struct {
	Data []byte
	// Timestamp is the publisher's, in ticks of the codec's clock.
	Timestamp uint32
	// Key: a player can begin here. Of sound, each one is.
	Key bool
	// Broken: packets before it are lost for good.
	Broken bool
	// Width and Height are those of a key frame's picture; Private is what its
	// decoder needs to know before.
	Width, Height int
	Private       []byte
}

// Assembler makes frames of the packets of a codec.
type Assembler struct {
	Codec   Codec
	builder *samplebuilder.SampleBuilder
}

// Codec is a codec whose frames are known.
type Codec struct {
	// Name is the word for people, Matroska that of Matroska.
	Name, Matroska string
	// WebM holds it, else Matroska is needed.
	WebM  bool
	Sound bool
	// Clock is how many ticks of its timestamps a second has.
	Clock   int
	unpack  func() rtp.Depacketizer
	inspect func(*Frame)
}

var known = map[string]Codec{
	"video/vp8":  {"vp8", "V_VP8", true, false, 90000, func() rtp.Depacketizer { return &codecs.VP8Packet{} }, inspectVP8},
	"video/vp9":  {"vp9", "V_VP9", true, false, 90000, func() rtp.Depacketizer { return &codecs.VP9Packet{} }, inspectVP9},
	"video/h264": {"h264", "V_MPEG4/ISO/AVC", false, false, 90000, func() rtp.Depacketizer { return &codecs.H264Packet{IsAVC: true} }, inspectH264},
	"video/av1":  {"av1", "V_AV1", true, false, 90000, func() rtp.Depacketizer { return &codecs.AV1Depacketizer{} }, inspectAV1},
	"audio/opus": {"opus", "A_OPUS", true, true, 48000, func() rtp.Depacketizer { return &codecs.OpusPacket{} }, func(f *Frame) { f.Key = true }},
}

var errCodec = errors.New("roomsub: frames are made of VP8, VP9, H.264, AV1 and Opus only")

// NewAssembler returns one for a codec by its MIME type, as "video/VP8".
func NewAssembler(mime string) (*Assembler, error) {
	c, ok := known[strings.ToLower(mime)]
	if !ok {
		return nil, errCodec
	}
	return &Assembler{c, samplebuilder.New(mostLate, c.unpack(), uint32(c.Clock))}, nil
}

// Push takes a packet, and returns the frames that are whole now.
func (a *Assembler) Push(p *rtp.Packet) (whole []Frame) {
	if len(p.Payload) == 0 {
		return nil
	}
	a.builder.Push(p)
	for s := a.builder.Pop(); s != nil; s = a.builder.Pop() {
		if len(s.Data) == 0 {
			continue
		}
		f := Frame{Data: s.Data, Timestamp: s.PacketTimestamp, Broken: s.PrevDroppedPackets > 0}
		a.Codec.inspect(&f)
		whole = append(whole, f)
	}
	return whole
}

// inspectVP8 reads the header of RFC 6386, section 9.1.
func inspectVP8(f *Frame) {
	d := f.Data
	if len(d) < 10 || d[0]&1 != 0 || d[3] != 0x9d || d[4] != 0x01 || d[5] != 0x2a {
		return
	}
	f.Key = true
	f.Width = int(binary.LittleEndian.Uint16(d[6:]) & 0x3fff)
	f.Height = int(binary.LittleEndian.Uint16(d[8:]) & 0x3fff)
}

// inspectVP9 reads the beginning of the uncompressed header (VP9 bitstream
// specification, section 6.2).
func inspectVP9(f *Frame) {
	var h vp9.Header
	if h.Unmarshal(f.Data) == nil && h.FrameSize != nil { // only a key frame has a size
		f.Key, f.Width, f.Height = true, h.Width(), h.Height()
	}
}

// The types of H.264's units.
const (
	unitIDR = 5
	unitSPS = 7
	unitPPS = 8
)

// inspectH264 finds the parameter sets, of which the file has a copy, and
// whether a player can begin here.
func inspectH264(f *Frame) {
	var sps, pps []byte
	for rest := f.Data; len(rest) > 4; {
		size := int(binary.BigEndian.Uint32(rest))
		if size <= 0 || size > len(rest)-4 {
			return
		}
		unit := rest[4 : 4+size]
		switch unit[0] & 0x1f {
		case unitSPS:
			sps = unit
		case unitPPS:
			pps = unit
		case unitIDR:
			f.Key = true
		}
		rest = rest[4+size:]
	}
	if !f.Key || len(sps) < 4 || pps == nil {
		f.Key = false // without them a player cannot begin
		return
	}
	shown, err := h264.ReadSPS(sps)
	if err != nil {
		f.Key = false
		return
	}
	f.Private, f.Width, f.Height = avcConfig(sps, pps), shown.Width, shown.Height
}

// avcConfig is an AVCDecoderConfigurationRecord (ISO/IEC 14496-15).
func avcConfig(sps, pps []byte) []byte {
	out := []byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1}
	out = binary.BigEndian.AppendUint16(out, uint16(len(sps)))
	out = append(out, sps...)
	out = append(out, 1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(pps)))
	return append(out, pps...)
}
