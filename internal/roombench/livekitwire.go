package roombench

import "google.golang.org/protobuf/encoding/protowire"

// The fields of LiveKit's signalling (livekit_rtc.proto and livekit_models.proto
// of github.com/livekit/protocol) that are used.
const (
	// of SignalRequest
	requestOffer        = 1
	requestAnswer       = 2
	requestAddTrack     = 4
	requestSubscription = 6
	// of SignalResponse
	responseAnswer    = 2
	responseOffer     = 3
	responseTrickle   = 4
	responsePublished = 6
	responseLeave     = 8
	// of SessionDescription
	sdpType = 1
	sdpText = 2
	sdpID   = 3
	// of AddTrackRequest
	addCid    = 1
	addName   = 2
	addType   = 3
	addWidth  = 4
	addHeight = 5
	addSource = 8
	addLayers = 9
	// of VideoLayer
	layerQuality = 1
	layerWidth   = 2
	layerHeight  = 3
	layerBitrate = 4
	layerSpatial = 6
	layerRid     = 7
	// of TrickleRequest
	trickleInit   = 1
	trickleTarget = 2
	// of TrackPublishedResponse and TrackInfo
	publishedCid   = 1
	publishedTrack = 2
	trackSid       = 1
	// of UpdateSubscription
	updateSids      = 1
	updateSubscribe = 2
)

// Values of its enumerations.
const (
	typeAudio, typeVideo    = 0, 1
	sourceCamera, sourceMic = 1, 2
	targetPublisher         = 0
)

// message is a message of Protocol Buffers.
type message []byte

func (m message) number(field protowire.Number, v uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), v)
}

func (m message) text(field protowire.Number, v string) message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), v)
}

func (m message) message(field protowire.Number, v message) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), v)
}

// each calls f for every field that is text or a message.
func (m message) each(f func(field protowire.Number, v message)) error {
	return m.fields(func(field protowire.Number, kind protowire.Type, v []byte) {
		if kind != protowire.BytesType {
			return
		}
		if inner, n := protowire.ConsumeBytes(v); n >= 0 {
			f(field, inner)
		}
	})
}

func (m message) fields(f func(field protowire.Number, kind protowire.Type, v []byte)) error {
	for len(m) > 0 {
		field, kind, tag := protowire.ConsumeTag(m)
		if tag < 0 {
			return protowire.ParseError(tag)
		}
		size := protowire.ConsumeFieldValue(field, kind, m[tag:])
		if size < 0 {
			return protowire.ParseError(size)
		}
		f(field, kind, m[tag:tag+size])
		m = m[tag+size:]
	}
	return nil
}

// first is the text of a field, "" where it is missing.
func (m message) first(field protowire.Number) (v string) {
	_ = m.each(func(n protowire.Number, inner message) {
		if n == field && v == "" {
			v = string(inner)
		}
	})
	return v
}

// firstNumber is that of a field, 0 where it is missing.
func (m message) firstNumber(field protowire.Number) (v uint64) {
	_ = m.fields(func(n protowire.Number, kind protowire.Type, value []byte) {
		if n == field && kind == protowire.VarintType {
			v, _ = protowire.ConsumeVarint(value)
		}
	})
	return v
}
