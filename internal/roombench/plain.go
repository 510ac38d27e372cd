package roombench

import (
	"context"
	"sync"

	"github.com/pion/webrtc/v4"

	"github.com/muster-fleet/muster/internal/peerconn"
	"github.com/muster-fleet/muster/internal/room"
)

// plain is an SFU as pion's examples show one: a TrackLocalStaticRTP for each
// track, which every subscriber's connection sends, with pion's default
// interceptors and sockets.
type plain struct {
	mu     sync.Mutex
	tracks map[string]*webrtc.TrackLocalStaticRTP
	conns  []*webrtc.PeerConnection
	came   *sync.Cond
}

func newPlain() *plain {
	p := &plain{tracks: map[string]*webrtc.TrackLocalStaticRTP{}}
	p.came = sync.NewCond(&p.mu)
	return p
}

// Offer answers. A subscriber waits until all that it wants is there.
func (p *plain) Offer(ctx context.Context, o room.Offer) (string, error) {
	pc, err := benchClient.Connection()
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	p.conns = append(p.conns, pc)
	p.mu.Unlock()
	for _, id := range o.Want {
		sender, err := pc.AddTrack(p.await(id))
		if err != nil {
			return "", err
		}
		go func() {
			buffer := make([]byte, 1500)
			for {
				if _, _, err := sender.Read(buffer); err != nil {
					return
				}
			}
		}()
	}
	pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		p.forward(remote, o.Publish[receiver.RTPTransceiver().Mid()].ID)
	})
	return peerconn.Answer(ctx, pc, o.SDP)
}

func (p *plain) await(id string) *webrtc.TrackLocalStaticRTP {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.tracks[id] == nil {
		p.came.Wait()
	}
	return p.tracks[id]
}

func (p *plain) forward(remote *webrtc.TrackRemote, id string) {
	local, err := webrtc.NewTrackLocalStaticRTP(remote.Codec().RTPCodecCapability, id, "plain")
	if err != nil {
		return
	}
	p.mu.Lock()
	p.tracks[id] = local
	p.mu.Unlock()
	p.came.Broadcast()
	buffer := make([]byte, 1500)
	for {
		n, _, err := remote.Read(buffer)
		if err != nil {
			return
		}
		_, _ = local.Write(buffer[:n]) // one subscriber that is gone must not stop the others
	}
}

func (p *plain) Close() error {
	p.mu.Lock()
	conns := p.conns
	p.mu.Unlock()
	for _, pc := range conns {
		_ = pc.Close()
	}
	return nil
}
