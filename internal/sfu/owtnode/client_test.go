package owtnode_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// client is a participant's PeerConnection, which sends and receives as OWT's SDK
// has it do.
type client struct {
	t   *testing.T
	pc  *webrtc.PeerConnection
	got chan arrival
}

// arrival is a packet that a client got.
type arrival struct {
	mid    string
	stream string
	*rtp.Packet
}

func newClient(t *testing.T) *client {
	t.Helper()
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	if err := webrtc.ConfigureSimulcastExtensionHeaders(m); err != nil {
		t.Fatal(err)
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() && ip.To4() != nil })
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(&interceptor.Registry{}), webrtc.WithSettingEngine(s)).
		NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, pc: pc, got: make(chan arrival, 100_000)}
	pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		mid := receiver.RTPTransceiver().Mid()
		for {
			p, _, err := remote.ReadRTP()
			if err != nil {
				return
			}
			c.got <- arrival{mid, remote.StreamID(), p}
		}
	})
	t.Cleanup(func() { _ = pc.Close() })
	return c
}

// receive adds a section that receives.
func (c *client) receive(kind webrtc.RTPCodecType) {
	c.t.Helper()
	if _, err := c.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		c.t.Fatal(err)
	}
}

// The size of a made-up picture.
const width, height = 640, 480

// send adds a section in which sound or pictures are sent until the test ends,
// the pictures in these encodings.
func (c *client) send(mime string, rids ...string) {
	c.t.Helper()
	capability := webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 90000}
	if mime == webrtc.MimeTypeOpus {
		capability = webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 48000, Channels: 2}
	}
	if len(rids) == 0 {
		rids = []string{""}
	}
	var locals []*webrtc.TrackLocalStaticRTP
	var transceiver *webrtc.RTPTransceiver
	for i, rid := range rids {
		var options []func(*webrtc.TrackLocalStaticRTP)
		if rid != "" {
			options = append(options, webrtc.WithRTPStreamID(rid))
		}
		local, err := webrtc.NewTrackLocalStaticRTP(capability, mime, "test", options...)
		if err == nil && i == 0 {
			transceiver, err = c.pc.AddTransceiverFromTrack(local, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		} else if err == nil {
			err = transceiver.Sender().AddEncoding(local)
		}
		if err != nil {
			c.t.Fatal(err)
		}
		locals = append(locals, local)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := uint16(1); ; n++ {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			for i, local := range locals {
				h := rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960, Marker: true}
				name(&h, transceiver, local.RID())
				_ = local.WriteRTP(&rtp.Packet{Header: h, Payload: payload(mime, i)}) // one that is closed sends nothing
			}
		}
	}()
	c.t.Cleanup(func() { cancel(); <-done })
}

// payload is a frame: of pictures, a key frame, the larger the later the encoding.
func payload(mime string, encoding int) []byte {
	if mime != webrtc.MimeTypeVP8 {
		return []byte{0x78, 1, 2, 3}
	}
	w, h := width<<encoding, height<<encoding
	return []byte{0x10, 0, 0, 0, 0x9d, 0x01, 0x2a, byte(w), byte(w >> 8), byte(h), byte(h >> 8), 0, 0, 0, 0, 0, 0, 0, 0, 0}
}

// widthOf is the width of a received picture.
func widthOf(p *rtp.Packet) int { return int(p.Payload[7]) | int(p.Payload[8])<<8 }

// name says in a packet which encoding it is of.
func name(h *rtp.Header, of *webrtc.RTPTransceiver, rid string) {
	if rid == "" {
		return
	}
	for _, e := range of.Sender().GetParameters().HeaderExtensions {
		if value := map[string]string{sdp.SDESMidURI: of.Mid(), sdp.SDESRTPStreamIDURI: rid}[e.URI]; value != "" {
			_ = h.SetExtension(uint8(e.ID), []byte(value))
		}
	}
}

// offer is the next offer, with its candidates.
func (c *client) offer() string {
	c.t.Helper()
	offer, err := c.pc.CreateOffer(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(offer); err != nil {
		c.t.Fatal(err)
	}
	<-gathered
	return c.pc.LocalDescription().SDP
}

// take takes the answer.
func (c *client) take(answer string) {
	c.t.Helper()
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		c.t.Fatalf("%v in the answer\n%s", err, answer)
	}
}

// patience is how long a test waits for what must come. It bounds a test that
// fails, and is no measurement.
const patience = 30 * time.Second

// hears waits until that many packets of a section came, and returns the last.
func (c *client) hears(mid string, count int) arrival {
	c.t.Helper()
	late := time.After(patience)
	for {
		select {
		case a := <-c.got:
			if a.mid != mid {
				continue
			}
			if count--; count <= 0 {
				return a
			}
		case <-late:
			c.t.Fatalf("no more packets in section %s", mid)
		}
	}
}

// silent checks that nothing comes in a section while another one goes on.
func (c *client) silent(mid, other string) {
	c.t.Helper()
	c.hears(other, 20) // what was under way has arrived
	for heard, late := 0, time.After(patience); heard < 30; {
		select {
		case a := <-c.got:
			switch a.mid {
			case mid:
				c.t.Fatalf("a packet in section %s, which is off", mid)
			case other:
				heard++
			}
		case <-late:
			c.t.Fatalf("no more packets in section %s", other)
		}
	}
}

// sectionOf is a section of an SDP.
func sectionOf(sdp, mid string) string {
	for block := range strings.SplitSeq(sdp, "m=") {
		if strings.Contains(block, fmt.Sprintf("a=mid:%s\r\n", mid)) {
			return block
		}
	}
	return ""
}
