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

// What nobody has announced is not sent on, and its direction and kind must be
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
