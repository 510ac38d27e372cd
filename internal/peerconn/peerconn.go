// Package peerconn exchanges the descriptions of a PeerConnection. Each description
// has all its candidates: servers of rooms take none later.
package peerconn

import (
	"context"

	"github.com/pion/webrtc/v4"
)

// Offer makes an offer and takes the answer that ask returns.
func Offer(ctx context.Context, pc *webrtc.PeerConnection, ask func(ctx context.Context, offer string) (answer string, err error)) error {
	own, err := pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	offer, err := describe(ctx, pc, own)
	if err != nil {
		return err
	}
	answer, err := ask(ctx, offer)
	if err != nil {
		return err
	}
	return pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

// Answer answers an offer, the first or a later one.
func Answer(ctx context.Context, pc *webrtc.PeerConnection, offer string) (answer string, err error) {
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	own, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	return describe(ctx, pc, own)
}

// describe sets the description of this end, and returns it with all candidates.
func describe(ctx context.Context, pc *webrtc.PeerConnection, own webrtc.SessionDescription) (string, error) {
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(own); err != nil {
		return "", err
	}
	select {
	case <-gathered:
		return pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
