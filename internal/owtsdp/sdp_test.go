package owtsdp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sectionOf is a section of an offer.
func sectionOf(kind, mid, direction string) string {
	return fmt.Sprintf("m=%s 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:%s\r\na=%s\r\n", kind, mid, direction)
}

const sdpHead = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"

// What was not announced is not sent on, and its direction and kind must be
// right.
func TestOffersAreHeldToWhatWasAnnounced(t *testing.T) {
	announced := map[string]Section{"0": {Kind: Audio, Sends: true}, "1": {Kind: Video}}
	offer := sdpHead + sectionOf(Audio, "0", "sendonly") + sectionOf(Video, "1", "recvonly") + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\n"
	if got := Permit(offer, announced); got != offer {
		t.Errorf("changed: %q", got)
	}
	for name, block := range map[string]string{
		"unknown":           sectionOf(Audio, "7", "sendonly"),
		"another direction": sectionOf(Audio, "0", "recvonly"),
		"both directions":   sectionOf(Audio, "0", "sendrecv"),
		"another kind":      sectionOf(Video, "0", "sendonly"),
		"no direction":      strings.Replace(sectionOf(Audio, "0", "sendonly"), "a=sendonly\r\n", "", 1),
		"no mid":            strings.Replace(sectionOf(Audio, "0", "sendonly"), "a=mid:0\r\n", "", 1),
		"line feeds only":   strings.ReplaceAll(sectionOf(Audio, "7", "sendonly"), "\r", ""),
		"no end of line":    strings.TrimSuffix(sectionOf(Audio, "7", "sendonly"), "\r\n"),
	} {
		got := Permit(sdpHead+block, announced)
		if all := Blocks(got); len(all) != 2 || Direction(all[1]) != "inactive" || strings.Contains(got, "a=send") || strings.Contains(got, "a=recv") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func FuzzSDP(f *testing.F) {
	f.Add(sdpHead + sectionOf(Audio, "0", "sendonly") + sectionOf(Video, "1", "recvonly"))
	f.Add("m=audio\nm=video 9 x 96\n")
	f.Fuzz(func(t *testing.T, sdp string) {
		announced := map[string]Section{"1": {Kind: Video, Session: "u"}}
		got := Permit(sdp, announced)
		for _, block := range Blocks(got)[1:] {
			if d, kind := Direction(block), Kind(block); d != "inactive" && (kind == Audio || kind == Video) && (d != "recvonly" || Attribute(block, "mid") != "1") {
				t.Errorf("%q is permitted in %q", block, sdp)
			}
		}
		Label(sdp, announced)
		FormatOf(sdp, "1")
		InUse(sdp)
		for _, block := range Blocks(sdp) {
			Choose(block, Preference{Preferred: &Format{Codec: "h264", Profile: "CB"}, Optional: []Format{{Codec: "vp8"}, Opus}})
		}
	})
}

func TestFormats(t *testing.T) {
	for rtpmap, want := range map[string]*Format{
		"a=rtpmap:96 VP8/90000\r\n":        {Codec: "vp8"},
		"a=rtpmap:96 opus/48000/2\r\n":     &Opus,
		"a=rtpmap:97 VP8/90000\r\n":        nil,
		"a=rtpmap:96 telephone-event/8000": nil,
		"a=rtpmap:96 H264/90000\r\na=fmtp:96 level-asymmetry-allowed=1;profile-level-id=42e01f\r\n": {Codec: "h264", Profile: "CB"},
		"a=rtpmap:96 H264/90000\r\na=fmtp:96 profile-level-id=42001f\r\n":                           {Codec: "h264", Profile: "B"},
		"a=rtpmap:96 H264/90000\r\na=fmtp:96 profile-level-id=64001f\r\n":                           {Codec: "h264", Profile: "H"},
	} {
		if diff := cmp.Diff(want, FormatOf(sdpHead+sectionOf(Video, "1", "recvonly")+rtpmap, "1")); diff != "" {
			t.Errorf("%q:\n%s", rtpmap, diff)
		}
	}
}

// The formats that Chromium offers, in its order.
const chromium = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 105 106 107 108 98 99 100\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtcp-fb:* nack\r\n" +
	"a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n" +
	"a=rtpmap:103 H264/90000\r\na=fmtp:103 packetization-mode=1;profile-level-id=42001f\r\na=rtpmap:104 rtx/90000\r\na=fmtp:104 apt=103\r\n" +
	"a=rtpmap:105 H264/90000\r\na=fmtp:105 packetization-mode=0;profile-level-id=42001f\r\na=rtpmap:106 rtx/90000\r\na=fmtp:106 apt=105\r\n" +
	"a=rtpmap:107 H264/90000\r\na=fmtp:107 packetization-mode=1;profile-level-id=42e01f\r\na=rtpmap:108 rtx/90000\r\na=fmtp:108 apt=107\r\n" +
	"a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=0\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\na=rtpmap:100 VP9/90000\r\na=fmtp:100 profile-id=2\r\n"

// The format is the preferred one where it is offered, else the first optional
// one. Who receives keeps the optional ones.
func TestChoose(t *testing.T) {
	vp8, vp9, h264, cb := Format{Codec: "vp8"}, Format{Codec: "vp9"}, Format{Codec: "h264"}, Format{Codec: "h264", Profile: "CB"}
	b := Format{Codec: "h264", Profile: "B"}
	for _, c := range []struct {
		direction string
		p         Preference
		want      *Format
		payloads  string
	}{
		{"sendonly", Preference{Optional: []Format{h264, vp8, vp9}}, &vp8, "96 97"},
		{"sendonly", Preference{Optional: []Format{h264}}, &b, "103 104"},
		{"sendonly", Preference{Optional: []Format{vp9}}, &vp9, "98 99"},
		{"sendonly", Preference{Optional: []Format{{Codec: "h265"}}}, nil, "96 97 103 104 105 106 107 108 98 99 100"},
		{"sendonly", Preference{}, nil, "96 97 103 104 105 106 107 108 98 99 100"},
		{"recvonly", Preference{Preferred: &vp8, Optional: []Format{cb}}, &vp8, "96 107 97 108"},
		{"recvonly", Preference{Preferred: &cb, Optional: []Format{vp8}}, &cb, "107 96 97 108"},
		{"recvonly", Preference{Preferred: &Format{Codec: "h264", Profile: "H"}}, &b, "103 104"},
		{"recvonly", Preference{Preferred: &Format{Codec: "av1"}, Optional: []Format{vp9, vp8}}, &vp8, "96 98 97 99"},
	} {
		block, got := Choose(chromium+"a="+c.direction+"\r\n", c.p)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %+v:\n%s", c.direction, c.p, diff)
		}
		head, rest, _ := strings.Cut(block, "\r\n")
		if payloads, _ := strings.CutPrefix(head, "m=video 9 UDP/TLS/RTP/SAVPF "); payloads != c.payloads {
			t.Errorf("%s %+v: payload types %s, want %s", c.direction, c.p, payloads, c.payloads)
		}
		if !strings.Contains(rest, "a=rtcp-fb:* nack\r\n") || strings.Contains(rest, "rtpmap:98") != strings.Contains(" "+c.payloads+" ", " 98 ") {
			t.Errorf("%s %+v:\n%s", c.direction, c.p, block)
		}
	}
	sound := "m=audio 9 UDP/TLS/RTP/SAVPF 111 9 8\r\na=mid:0\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\n"
	g722 := Format{Codec: "g722", SampleRate: 16000, ChannelNum: 1}
	for _, want := range []Format{g722, Opus, {Codec: "pcma"}} {
		if _, got := Choose(sound, Preference{Optional: []Format{want}}); got == nil || *got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}
