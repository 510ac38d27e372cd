package rtc

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// An offer that crosses the end of its session adds nothing that nobody would
// close: TestMain looks for what is left.
func TestOfferCrossesTheEnd(t *testing.T) {
	s, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	const offer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n" +
		"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=mid:0\r\na=recvonly\r\n"
	fingerprint := "a=fingerprint:sha-256 " + strings.Repeat("AB:", 31) + "AB\r\n"
	d, err := parseOffer(strings.Replace(offer, "a=setup", fingerprint+"a=setup", 1), s.limits)
	if err != nil {
		t.Fatal(err)
	}
	n, _, err := s.session(Offer{Room: "room", Session: "a"}, false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n.end()
	if _, err := n.negotiate(ctx, d); !errors.Is(err, ErrNoSession) {
		t.Errorf("an offer after the end: %v", err)
	}
	if err := n.apply(Change{Want: map[string]string{"0": "t"}}); !errors.Is(err, ErrNoSession) {
		t.Errorf("a change after the end: %v", err)
	}
}
