package rtc

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	// mostLayers is how many simulcast encodings of a track are used.
	mostLayers = 3
	// mostTemporal is how many temporal layers are distinguished.
	mostTemporal = 4
	// liveFor is how long a layer counts as sent after its last packet.
	liveFor = 1500 * time.Millisecond
)

// track is a media section of a publisher: one stream, or several encodings of
// one picture. It is published under a name, or under none.
type track struct {
	room  *room
	kind  webrtc.RTPCodecType
	from  origin
	ranks map[string]int
	// several: it comes by a link, and its publisher announced several encodings.
	several bool
	// link is the node of the SFU that it comes from, "" if it is published here.
	link string
	// successor: it takes its name from another track with its first key frame.
	successor atomic.Bool

	mu sync.Mutex
	// remote are the layers that can be had of a track that comes by a link.
	remote []Layer
	Track
	mime     string
	codec    codec
	layers   [mostLayers]*layer
	slots    []*slot
	throttle Throttle
}

// origin is what a track comes from: a publisher's session, or a link.
type origin interface {
	// passes reports whether a packet of a picture is within the limits.
	passes(bytes int, now time.Time) bool
	// askKeyFrame asks for a key frame of a layer.
	askKeyFrame(l *layer)
}

// layer is one encoding of a track.
type layer struct {
	index int
	rid   string
	ssrc  webrtc.SSRC
	ring  ring
	// heard is when the last packet arrived that was no duplicate.
	heard time.Time
	// bytes arrived since the last measurement, by temporal layer; bitrate is
	// the average, with the lower ones.
	bytes    [mostTemporal]int
	bitrate  [mostTemporal]int
	highest  uint8
	measured time.Time
	width    int
	height   int
	// key is the first packet of the last key frame, which arrived at keyed.
	key     uint16
	keyTime uint32
	keyed   time.Time
}

// isFresh reports whether the last key frame is one that a subscriber can begin
// with: while no other may be asked for.
func (l *layer) isFresh(now time.Time) bool {
	return l != nil && !l.keyed.IsZero() && now.Sub(l.keyed) < KeyFrameGap
}

// simulcast reports whether the publisher announced several encodings.
func (t *track) simulcast() bool { return t.several || len(t.ranks) > 1 }

// rankRIDs orders the encodings that an offer names, the smallest first. The
// order in an offer means nothing: browsers list what the page listed.
func rankRIDs(rids []string) map[string]int {
	known := map[string]int{"q": 0, "l": 0, "m": 1, "f": 2}
	known["h"] = 1
	if slices.Contains(rids, "l") || slices.Contains(rids, "m") {
		known["h"] = 2
	}
	sorted := slices.Clone(rids)
	slices.SortFunc(sorted, func(a, b string) int {
		ra, okA := known[a]
		rb, okB := known[b]
		if okA && okB {
			return ra - rb
		}
		return strings.Compare(a, b)
	})
	ranks := map[string]int{}
	for i, rid := range sorted {
		ranks[rid] = min(i, mostLayers-1)
	}
	return ranks
}

// read forwards what a publisher sends in one encoding, until it ends.
func (t *track) read(remote *webrtc.TrackRemote, levelID uint8) {
	l := t.begin(remote)
	buffer := make([]byte, maxPacket)
	var header rtp.Header
	for {
		n, _, err := remote.Read(buffer)
		if err != nil {
			return
		}
		now := time.Now()
		if t.kind == webrtc.RTPCodecTypeVideo && !t.from.passes(n, now) {
			t.room.server.count.limited.Add(1)
			continue
		}
		if !t.take(l, &header, buffer[:n], levelID, now) {
			t.room.server.count.malformed.Add(1)
		}
	}
}

// take reads a packet and hands it on. It reports whether it can be read. header
// is room for its header.
func (t *track) take(l *layer, header *rtp.Header, packet []byte, levelID uint8, now time.Time) bool {
	*header = rtp.Header{Extensions: header.Extensions[:0]}
	size, err := header.Unmarshal(packet)
	if err != nil {
		return false
	}
	payload := packet[size:]
	if header.Padding {
		if payload, err = unpad(payload); err != nil {
			return false
		}
	}
	if t.successor.Load() && t.canBegin(payload) {
		t.room.promote(t)
	}
	t.arrive(l, header, payload, levelOf(header, levelID), now)
	return true
}

// canBegin reports whether a subscriber can begin with this packet.
func (t *track) canBegin(payload []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kind == webrtc.RTPCodecTypeAudio || beginsKeyFrame(t.codec, payload)
}

// live reports whether packets arrive.
func (t *track) live(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.layers[:], func(l *layer) bool { return l != nil && now.Sub(l.heard) < liveFor })
}

// noLevel is the level of a packet that says none.
const noLevel = 255

// levelOf is how loud an audio packet is, in -dBov (RFC 6464).
func levelOf(h *rtp.Header, id uint8) uint8 {
	if id == 0 {
		return noLevel
	}
	level := h.GetExtension(id)
	if len(level) == 0 {
		return noLevel
	}
	return level[0] & 0x7f
}

// unpad drops RTP padding. A packet of nothing else, with which senders probe,
// becomes empty.
func unpad(payload []byte) ([]byte, error) {
	if len(payload) == 0 {
		return nil, errPadding
	}
	n := int(payload[len(payload)-1])
	if n == 0 || n > len(payload) {
		return nil, errPadding
	}
	return payload[:len(payload)-n], nil
}

// begin adds an encoding that starts.
func (t *track) begin(remote *webrtc.TrackRemote) *layer {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mime = remote.Codec().MimeType
	t.codec = codecOf(t.mime)
	index := t.ranks[remote.RID()]
	l := &layer{index: index, rid: remote.RID(), ssrc: remote.SSRC(), measured: time.Now()}
	t.layers[index] = l
	return l
}

// arrive stores a packet once and hands it to every slot.
func (t *track) arrive(l *layer, h *rtp.Header, payload []byte, level uint8, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	count := &t.room.server.count
	count.received.Add(1)
	if l.ring.judge(h.SequenceNumber) == duplicate {
		count.duplicates.Add(1)
		return
	}
	p := packet{number: h.SequenceNumber, timestamp: h.Timestamp, marker: h.Marker}
	if t.kind == webrtc.RTPCodecTypeVideo {
		t.inspect(l, &p, payload)
	}
	if level != noLevel && t.ID != "" {
		t.room.hear(t.ID, level, now)
	}
	l.heard = now
	l.bytes[min(p.temporal, mostTemporal-1)] += len(payload)
	l.highest = max(l.highest, min(p.temporal, mostTemporal-1))
	if p.key && (l.keyed.IsZero() || p.timestamp != l.keyTime) {
		l.key, l.keyTime, l.keyed = p.number, p.timestamp, now
	}
	kept := l.ring.put(p, payload)
	waiting := false
	for _, s := range t.slots {
		waiting = s.forward(t, l, kept, now) || waiting
	}
	if waiting {
		t.askKeyFrame(now)
	}
}

// inspect reads what the payload says of its frame.
func (t *track) inspect(l *layer, p *packet, payload []byte) {
	if t.codec != vp8Codec {
		p.start = true
		if p.key = beginsKeyFrame(t.codec, payload); p.key && t.codec == h264Codec {
			t.show(l, h264Size(payload))
		}
		return
	}
	d, ok := parseVP8(payload)
	if !ok {
		return
	}
	p.vp8, p.start, p.key, p.temporal = d, d.start, d.key, d.temporal
	if d.key {
		t.show(l, vp8Size(payload[d.size:]))
	}
}

// show notes the size of the picture that a key frame begins. The caller has
// locked t.
func (t *track) show(l *layer, is size) {
	if is.height == 0 || is.width == l.width && is.height == l.height {
		return
	}
	l.width, l.height = is.width, is.height
	if report := t.room.server.opts.OnPicture; report != nil && t.ID != "" {
		report(Picture{Room: t.room.name, Track: t.ID, RID: l.rid, Width: is.width, Height: is.height})
	}
}

// askKeyFrame asks the publisher for a key frame, unless that was done just
// now. The caller has locked t.
func (t *track) askKeyFrame(now time.Time) {
	if t.kind == webrtc.RTPCodecTypeVideo && t.throttle.Ask(now) {
		t.sendPLI()
	}
}

func (t *track) sendPLI() {
	for _, l := range t.layers {
		if l != nil {
			t.room.server.count.keyFrames.Add(1)
			t.from.askKeyFrame(l)
			return
		}
	}
}

// tick sends a request for a key frame that was held back, and measures.
func (t *track) tick(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.throttle.Due(now) {
		t.sendPLI()
	}
	for _, s := range t.slots {
		if s.waiting() {
			t.askKeyFrame(now)
			break
		}
	}
	for _, l := range t.layers {
		if l != nil {
			l.measure(now)
		}
	}
}

// measure takes the average of what arrived since the last time.
func (l *layer) measure(now time.Time) {
	elapsed := now.Sub(l.measured).Seconds()
	if elapsed < 0.4 {
		return
	}
	sum := 0
	for i := range l.bytes {
		sum += l.bytes[i]
		rate := int(float64(sum) * 8 / elapsed)
		if l.bitrate[i] == 0 {
			l.bitrate[i] = rate
		}
		l.bitrate[i] += (rate - l.bitrate[i]) / 3
		l.bytes[i] = 0
	}
	l.measured = now
}

// offers are the layers in which the track can be had now.
func (t *track) offers(now time.Time) []Layer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.link != "" {
		return slices.Clone(t.remote)
	}
	var out []Layer
	for _, l := range t.layers {
		if l == nil || now.Sub(l.heard) > liveFor {
			continue
		}
		for i := range l.highest + 1 {
			out = append(out, Layer{Encoding: l.index, Temporal: int(i), Bitrate: max(l.bitrate[i], 1), Height: l.height})
		}
	}
	return out
}

// attach gives a slot what arrives from now on.
func (t *track) attach(s *slot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.begin(t)
	t.slots = append(t.slots, s)
	t.askKeyFrame(time.Now())
}

func (t *track) detach(s *slot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slots = slices.DeleteFunc(slices.Clone(t.slots), func(other *slot) bool { return other == s })
}

// name publishes the track under another name, and returns the one that it had.
func (t *track) name(n Track) (had Track) {
	t.mu.Lock()
	defer t.mu.Unlock()
	had, t.Track = t.Track, n
	return had
}
