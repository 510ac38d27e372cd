package rtc_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/internal/rtc"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// patience is how long a test waits for what must come. It bounds a test that
// fails, and is no measurement.
const patience = 60 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, opts rtc.Options) *rtc.Server {
	t.Helper()
	s, err := rtc.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var (
	camera = rtc.Track{ID: "alice.camera", Source: "camera"}
	mic    = rtc.Track{ID: "alice.mic", Source: "mic"}
)

func publish(t *testing.T, s *rtc.Server, session string, rids []string, tracks ...rtc.Track) *rtcload.Publisher {
	t.Helper()
	p, err := rtcload.Client{}.Publish(within(t), s.Offer, "room", session, rids, tracks...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// inbox is what a subscriber got.
type inbox struct {
	*rtcload.Subscriber
	packets chan arrival
}

type arrival struct {
	track string
	*rtp.Packet
	repaired bool
}

func subscribe(t *testing.T, s *rtc.Server, c rtcload.Client, session string, tracks ...rtc.Track) *inbox {
	t.Helper()
	in := &inbox{packets: make(chan arrival, 100_000)}
	var err error
	in.Subscriber, err = c.Subscribe(within(t), s.Offer, "room", session, func(track string, p *rtp.Packet, a interceptor.Attributes) {
		in.packets <- arrival{track, p, a.Get(webrtc.AttributeRtxSsrc) != nil}
	}, tracks...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	return in
}

// next waits for a packet of the track.
func (in *inbox) next(t *testing.T, track rtc.Track) arrival {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case a := <-in.packets:
			if a.track == track.ID {
				return a
			}
		case <-late:
			t.Fatalf("no packet of %s", track.ID)
		}
	}
}

// send sends a track in the background until the test ends: what is sent before
// a stream is ready is lost, as with real media.
func send(t *testing.T, p *rtcload.Publisher, track rtc.Track) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx, track.ID, 50, 2, 400); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
}

func TestForwards(t *testing.T) {
	s := start(t, rtc.Options{})
	p := publish(t, s, "a", nil, camera, mic)
	subscribers := []*inbox{subscribe(t, s, rtcload.Client{}, "b", camera, mic), subscribe(t, s, rtcload.Client{}, "c", camera, mic)}
	send(t, p, camera)
	send(t, p, mic)
	for _, in := range subscribers {
		for _, track := range []rtc.Track{camera, mic} {
			first := in.next(t, track)
			for i := range 20 {
				a := in.next(t, track)
				if a.SequenceNumber != first.SequenceNumber+uint16(i)+1 {
					t.Fatalf("%s: number %d after %d", track.ID, a.SequenceNumber, first.SequenceNumber+uint16(i))
				}
				if ids := a.GetExtensionIDs(); len(ids) != 0 {
					t.Fatalf("%s: header extensions %v; want none, since none was negotiated", track.ID, ids)
				}
			}
		}
	}
	stats := s.Stats()
	if len(stats.Sessions) != 3 || len(stats.Tracks) != 2 || stats.Tracks[0].Slots != 2 || stats.Tracks[0].Codec != webrtc.MimeTypeVP8 {
		t.Errorf("stats: %+v", stats)
	}
}

func TestOverTCP(t *testing.T) {
	s := start(t, rtc.Options{})
	p := publish(t, s, "a", nil, mic)
	in := subscribe(t, s, rtcload.Client{TCP: true}, "b", mic)
	send(t, p, mic)
	in.next(t, mic)
	pair, err := in.Connection().SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair.Remote.Protocol != webrtc.ICEProtocolTCP {
		t.Errorf("the pair is %v, %v; want one over TCP", pair, err)
	}
}

// The order in which publishers and subscribers come does not matter, nor
// whether a publisher comes again under the same name.
func TestSubscriberIsFirst(t *testing.T) {
	s := start(t, rtc.Options{})
	in := subscribe(t, s, rtcload.Client{}, "b", camera)
	p := publish(t, s, "a1", nil, camera)
	send(t, p, camera)
	in.next(t, camera)
	again := publish(t, s, "a2", nil, camera)
	if err := p.Connection().Close(); err != nil {
		t.Fatal(err)
	}
	for len(in.packets) > 0 {
		<-in.packets
	}
	send(t, again, camera)
	in.next(t, camera)
}

func TestChangeWithoutAnOffer(t *testing.T) {
	s := start(t, rtc.Options{})
	screen := rtc.Track{ID: "alice.screen", Source: "screen"}
	p := publish(t, s, "a", nil, camera, screen)
	in := subscribe(t, s, rtcload.Client{}, "b", camera)
	send(t, p, camera)
	last := in.next(t, camera)
	send(t, p, screen)
	mid := in.Connection().GetTransceivers()[0].Mid()
	if err := s.Change("b", rtc.Change{Want: map[string]string{mid: screen.ID}}); err != nil {
		t.Fatal(err)
	}
	// The stream goes on without a gap, from another track.
	stats := s.Stats()
	if i := trackIndex(stats, screen.ID); i < 0 || stats.Tracks[i].Slots != 1 {
		t.Fatalf("the screen has no subscriber: %+v", stats)
	}
	for range 200 {
		a := in.next(t, camera)
		if a.SequenceNumber != last.SequenceNumber+1 {
			t.Fatalf("number %d after %d", a.SequenceNumber, last.SequenceNumber)
		}
		last = a
	}
	if err := s.Change("nobody", rtc.Change{}); err != rtc.ErrNoSession {
		t.Errorf("a change of a session that is not there: %v", err)
	}
}

func trackIndex(s rtc.Stats, id string) int {
	for i, t := range s.Tracks {
		if t.Track == id {
			return i
		}
	}
	return -1
}

func TestLostPacketsAreSentAgain(t *testing.T) {
	s := start(t, rtc.Options{})
	p := publish(t, s, "a", nil, camera)
	in := subscribe(t, s, rtcload.Client{}, "b", camera)
	send(t, p, camera)
	lost := in.next(t, camera)
	nack := &rtcp.TransportLayerNack{MediaSSRC: lost.SSRC, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{lost.SequenceNumber})}
	if err := in.Connection().WriteRTCP([]rtcp.Packet{nack}); err != nil {
		t.Fatal(err)
	}
	for {
		if a := in.next(t, camera); a.repaired {
			if a.SequenceNumber != lost.SequenceNumber || string(a.Payload) != string(lost.Payload) {
				t.Fatalf("sent again: number %d, want %d", a.SequenceNumber, lost.SequenceNumber)
			}
			break
		}
	}
	if resent := s.Stats().Resent; resent != 1 {
		t.Errorf("%d packets were sent again, want 1", resent)
	}
}

// A publisher of three encodings: a subscriber gets the one that its screen
// needs, and another one when that changes, as one stream.
func TestSimulcast(t *testing.T) {
	s := start(t, rtc.Options{})
	p := publish(t, s, "a", []string{"q", "h", "f"}, camera)
	in := subscribe(t, s, rtcload.Client{}, "b", camera)
	send(t, p, camera)
	last := in.next(t, camera)
	layer := func() int {
		for {
			a := in.next(t, camera)
			if a.SequenceNumber != last.SequenceNumber+1 {
				t.Fatalf("number %d after %d", a.SequenceNumber, last.SequenceNumber)
			}
			if int32(a.Timestamp-last.Timestamp) < 0 {
				t.Fatalf("timestamp %d after %d", a.Timestamp, last.Timestamp)
			}
			last = a
			if h := height(a.Payload); h > 0 {
				return h
			}
		}
	}
	for _, want := range []int{180, 720, 360} {
		if err := s.Change("b", rtc.Change{View: map[string]int{camera.ID: want}}); err != nil {
			t.Fatal(err)
		}
		for layer() != want {
		}
	}
}

// height is that of a made-up key frame.
func height(p []byte) int {
	if p[0]&0x10 == 0 || p[5]&1 != 0 {
		return 0
	}
	return int(p[13]) | int(p[14])<<8
}

func TestHiddenTracksAreNotSent(t *testing.T) {
	s := start(t, rtc.Options{})
	p := publish(t, s, "a", nil, camera, mic)
	in := subscribe(t, s, rtcload.Client{}, "b", camera, mic)
	send(t, p, camera)
	in.next(t, camera)
	if err := s.Change("b", rtc.Change{View: map[string]int{camera.ID: 0}}); err != nil {
		t.Fatal(err)
	}
	send(t, p, mic)
	pictures := 0
	for heard := 0; heard < 30; { // what was under way may still arrive
		if a := <-in.packets; a.track == mic.ID {
			heard++
		} else {
			pictures++
		}
	}
	for heard := 0; heard < 30; {
		if a := <-in.packets; a.track == mic.ID {
			heard++
		} else {
			t.Fatalf("a hidden picture is sent, after %d that were under way", pictures)
		}
	}
}

func TestKeyFramesAreAskedOfThePublisher(t *testing.T) {
	s := start(t, rtc.Options{})
	p := publish(t, s, "a", nil, camera)
	asked := make(chan struct{}, 1000)
	go func() {
		for {
			packets, _, err := p.Connection().GetSenders()[0].ReadRTCP()
			if err != nil {
				return
			}
			for _, packet := range packets {
				if _, ok := packet.(*rtcp.PictureLossIndication); ok {
					asked <- struct{}{}
				}
			}
		}
	}()
	in := subscribe(t, s, rtcload.Client{}, "b", camera)
	send(t, p, camera)
	a := in.next(t, camera)
	for range 50 { // one burst asks once now, and once when the time has passed
		if err := in.Connection().WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: a.SSRC}}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-asked:
	case <-time.After(patience):
		t.Fatal("the publisher was not asked for a key frame")
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, rtc.Options{Limits: rtc.Limits{Sessions: 3, OwnerSessions: 2, Tracks: 1, Sections: 4}})
	offer := func(o rtc.Offer) string {
		_, err := s.Offer(within(t), o)
		if err == nil {
			return ""
		}
		return err.Error()
	}
	for want, o := range map[string]rtc.Offer{
		"is no SDP":                    {Room: "room", Session: "x", SDP: "nonsense"},
		"the limit":                    {Room: "room", Session: "x", SDP: strings.Repeat("x", 1<<20)},
		"must name its room":           {SDP: sdpOf("recvonly")},
		"no audio and no video":        {Room: "room", Session: "x", SDP: "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"},
		"section 1 of the offer":       {Room: "room", Session: "x", SDP: sdpOf("sendonly", "recvonly")},
		"has 5 sections":               {Room: "room", Session: "x", SDP: sdpOf("sendonly", "sendonly", "sendonly", "sendonly", "sendonly")},
		`in section "9", which its`:    {Room: "room", Session: "x", SDP: sdpOf("recvonly"), Change: rtc.Change{Want: map[string]string{"9": "t"}}},
		"which is the limit":           {Room: "room", Session: "x", SDP: sdpOf("sendonly", "sendonly"), Change: rtc.Change{Publish: map[string]rtc.Track{"0": {ID: "1"}, "1": {ID: "2"}}}},
		"publishes t in section \"7\"": {Room: "room", Session: "x", SDP: sdpOf("sendonly"), Change: rtc.Change{Publish: map[string]rtc.Track{"7": {ID: "t"}}}},
		"may only receive":             {Room: "room", Session: "x", SDP: sdpOf("sendrecv"), ReceiveOnly: true},
		"or inactive":                  {Room: "room", Session: "x", SDP: strings.Replace(sdpOf("sendrecv"), "a=sendrecv\r\n", "", 1), ReceiveOnly: true},
	} {
		if got := offer(o); !strings.Contains(got, want) {
			t.Errorf("got %q; want %q", got, want)
		}
	}
	if n := len(s.Stats().Sessions); n != 0 {
		t.Errorf("%d sessions are left of offers that were refused", n)
	}
	for _, name := range []string{"1", "2"} {
		if got := offer(rtc.Offer{Room: "room", Session: name, Owner: "a", SDP: sdpOf("recvonly"), ReceiveOnly: true}); got != "" {
			t.Error(got)
		}
	}
	if got := offer(rtc.Offer{Room: "room", Session: "3", Owner: "a", SDP: sdpOf("recvonly")}); !strings.Contains(got, "the participant has 2 sessions") {
		t.Errorf("a session beyond the participant's limit: %q", got)
	}
	if got := offer(rtc.Offer{Room: "room", Session: "3", Owner: "b", SDP: sdpOf("recvonly")}); got != "" {
		t.Error(got)
	}
	if got := offer(rtc.Offer{Room: "room", Session: "4", Owner: "b", SDP: sdpOf("recvonly")}); !strings.Contains(got, "the server has 3 sessions") {
		t.Errorf("a session beyond the limit: %q", got)
	}
	if got := offer(rtc.Offer{Room: "other", Session: "1", SDP: sdpOf("recvonly")}); !strings.Contains(got, "in another room") {
		t.Errorf("a session of another room: %q", got)
	}
}

// Clients that have one connection for everything say so, and may then begin to
// send on one that only received before.
func TestASessionOfBothDirections(t *testing.T) {
	s := start(t, rtc.Options{})
	offer := func(o rtc.Offer) (string, error) {
		o.Room, o.Session = "room", "x"
		return s.Offer(within(t), o)
	}
	if _, err := offer(rtc.Offer{SDP: sdpOf("recvonly"), Both: true, Change: rtc.Change{Want: map[string]string{"0": camera.ID}}}); err != nil {
		t.Fatal(err)
	}
	answer, err := offer(rtc.Offer{SDP: sdpOf("recvonly", "sendonly"), Both: true, Change: rtc.Change{Publish: map[string]rtc.Track{"1": mic}}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(answer, "a=sendonly") || !strings.Contains(answer, "a=recvonly") {
		t.Errorf("the answer is %s", answer)
	}
	if _, err := offer(rtc.Offer{SDP: sdpOf("recvonly", "sendonly")}); err == nil {
		t.Error("an offer of both directions is taken that does not say so")
	}
}

// sdpOf is an offer of audio sections with these directions.
func sdpOf(directions ...string) string {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" +
		"a=fingerprint:sha-256 " + strings.Repeat("AB:", 31) + "AB\r\na=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n")
	for i, d := range directions {
		b.WriteString("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n" +
			"a=mid:" + string(rune('0'+i)) + "\r\na=" + d + "\r\na=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\n")
	}
	return b.String()
}

// press sends pictures until something is true.
func press(t *testing.T, p *rtcload.Publisher, what string, f func() bool) {
	t.Helper()
	for ctx := within(t); !f(); {
		if err := p.Send(camera.ID, rtcload.Frame{Packets: 1, Size: 1000}); err != nil {
			t.Fatal(err)
		}
		if ctx.Err() != nil {
			t.Fatal(what)
		}
	}
}

// A participant who sends more than their role may sees that in the answer, and what is beyond is
// dropped; who receives gets no more than his.
func TestBitrates(t *testing.T) {
	s := start(t, rtc.Options{})
	answer := ""
	limited := func(ctx context.Context, o rtc.Offer) (string, error) {
		o.Bitrate = 100_000
		var err error
		answer, err = s.Offer(ctx, o)
		return answer, err
	}
	p, err := rtcload.Client{}.Publish(within(t), limited, "room", "a", nil, camera)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if !strings.Contains(answer, "b=TIAS:100000\r\n") {
		t.Fatalf("the answer does not say the bitrate:\n%s", answer)
	}
	press(t, p, "nothing is dropped", func() bool { return s.Stats().Limited > 0 })
	screen := rtc.Track{ID: "alice.screen", Source: "screen"}
	send(t, publish(t, s, "b", nil, screen), screen)
	in, err := rtcload.Client{}.Subscribe(within(t), limited, "room", "c", nil, camera, screen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	press(t, p, "all is sent to who may not get it", func() bool {
		return slices.ContainsFunc(s.Stats().Slots, func(slot rtc.SlotStats) bool {
			return slot.Session == "c" && slot.Track == camera.ID && !slot.Sending && slot.Held == "its role may get 100 kbit/s, which other tracks fill"
		})
	})
}

// All publishers of a room share what it may take.
func TestBitrateOfARoom(t *testing.T) {
	s := start(t, rtc.Options{Limits: rtc.Limits{RoomBitrate: 100_000}})
	p := publish(t, s, "a", nil, camera)
	press(t, p, "nothing is dropped", func() bool { return s.Stats().Limited > 0 })
}
