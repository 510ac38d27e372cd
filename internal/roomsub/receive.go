package roomsub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/muster-fleet/muster/internal/pause"
	"github.com/muster-fleet/muster/internal/peerconn"
	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/sfu"
)

const (
	// offerTime is how long an SFU may take to answer, againTime the pause after
	// a connection that failed.
	offerTime = 4 * time.Second
	againTime = 300 * time.Millisecond
	// askTime is the least time between two requests for a key frame.
	askTime = 500 * time.Millisecond
)

// api makes connections that ask for lost packets. They report nothing of their
// line, so that they get the best layer that a publisher sends.
func api() (*webrtc.API, error) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	registry := &interceptor.Registry{}
	nacks, err := nack.NewGeneratorInterceptor()
	if err != nil {
		return nil, err
	}
	reports, err := report.NewReceiverInterceptor()
	if err != nil {
		return nil, err
	}
	registry.Add(nacks)
	registry.Add(reports)
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(s)), nil
}

// receiver receives one track from an SFU.
type receiver struct {
	*Subscription
	node string
	// number is that of its connection: a later one has a higher number.
	number int64
	// first is called with the first frame that was taken.
	first func()
}

// run receives until ctx ends; a connection that fails is made again.
func (r *receiver) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.once(ctx)
		if errors.Is(err, errCodec) {
			r.room.Log.Warn("track not received: its codec is not known", "track", r.track.ID)
			return
		}
		if err != nil && ctx.Err() == nil {
			r.room.Log.Debug("no media of a track: trying again", "track", r.track.ID, "node", r.node, "err", err)
		}
		pause.For(ctx, againTime)
	}
}

// session names the connection on its SFU.
func (r *receiver) session() string {
	return fmt.Sprintf("%s.%s.%d", r.room.Task, r.track.ID, r.number)
}

func (r *receiver) sfu() sfu.Client { return sfu.Client{Conn: r.room.Conn} }

// once is one connection.
func (r *receiver) once(ctx context.Context) error {
	r.number = r.connections.Add(1)
	api, err := api()
	if err != nil {
		return err
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return err
	}
	ended := make(chan error, 2)
	fail := func(err error) {
		select {
		case ended <- err:
		default:
		}
	}
	defer func() {
		_ = pc.Close()
		r.sfu().End(context.WithoutCancel(ctx), r.node, r.room.Name, r.session())
	}()
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateFailed {
			fail(errors.New("the connection failed"))
		}
	})
	pc.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { fail(r.read(pc, remote)) })
	change, viewed := r.view()
	if err := r.offer(ctx, pc, change); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case <-viewed:
			change, viewed = r.view()
			if err := r.change(ctx, change); err != nil {
				return err
			}
		}
	}
}

// change says to the SFU how the track is looked at.
func (r *receiver) change(ctx context.Context, c room.Change) error {
	ctx, cancel := context.WithTimeout(ctx, offerTime)
	defer cancel()
	return r.sfu().Change(ctx, r.node, r.session(), c)
}

// offer has the SFU answer.
func (r *receiver) offer(ctx context.Context, pc *webrtc.PeerConnection, change room.Change) error {
	ctx, cancel := context.WithTimeout(ctx, offerTime)
	defer cancel()
	kind := webrtc.RTPCodecTypeVideo
	if r.track.Sound() {
		kind = webrtc.RTPCodecTypeAudio
	}
	section, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
	if err != nil {
		return err
	}
	return peerconn.Offer(ctx, pc, func(ctx context.Context, offer string) (string, error) {
		change.Want = map[string]string{section.Mid(): r.track.ID}
		return r.sfu().Offer(ctx, r.node, room.Offer{
			Room: r.room.Name, Session: r.session(), Owner: r.room.Task + "." + r.track.ID, ReceiveOnly: true, SDP: offer, Change: change,
		})
	})
}

// read takes what arrives, until the connection ends.
func (r *receiver) read(pc *webrtc.PeerConnection, remote *webrtc.TrackRemote) error {
	frames, err := NewAssembler(remote.Codec().MimeType)
	if err != nil {
		return err
	}
	began, asked := false, time.Time{}
	for {
		p, _, err := remote.ReadRTP()
		if err != nil {
			return err
		}
		now := time.Now()
		for _, f := range frames.Push(p) {
			taken, askKey := r.taker.Take(r.number, frames.Codec, f, now)
			if taken && !began {
				began = true
				r.first()
			}
			if (askKey || f.Broken) && !frames.Codec.Sound && now.Sub(asked) > askTime {
				asked = now
				_ = pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(remote.SSRC())}}) // a connection that is gone is made again
			}
		}
	}
}
