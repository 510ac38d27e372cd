package roombench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/muster-fleet/muster/internal/room"
	"github.com/muster-fleet/muster/internal/rtcload"
)

// liveKit is LiveKit's server, a program of its own. What its clients say to it
// is in livekitwire.go.
type liveKit struct {
	*process
	shape       shape
	address     string
	secret      string
	people      []*liveKitPerson
	subscribers map[int]*liveKitPerson // those who also publish

	mu   sync.Mutex
	sids map[string]string // LiveKit's names of tracks, by ours
}

const liveKitKey = "bench"

// liveKitConfig is LiveKit's defaults on the loopback with one UDP port, as
// Muster has it, and no log. Its estimate of a line is for clients that report
// nothing but REMB by default; ours report transport-cc, as browsers do where it
// is offered.
const liveKitConfig = `
port: %d
bind_addresses: [127.0.0.1]
keys: {%s: %s}
logging: {level: error}
rtc:
  udp_port: %d
  tcp_port: %d
  node_ip: 127.0.0.1
  use_external_ip: false
  enable_loopback_candidate: true
  ips: {includes: [127.0.0.1/32]}
  congestion_control: {use_send_side_bwe: %t}
`

func startLiveKit(ctx context.Context, program string, s shape) (contender, error) {
	ports, err := freePorts()
	if err != nil {
		return nil, err
	}
	l := &liveKit{
		shape: s, address: fmt.Sprintf("127.0.0.1:%d", ports[0]), secret: rand.Text() + rand.Text(),
		subscribers: map[int]*liveKitPerson{}, sids: map[string]string{},
	}
	config := fmt.Sprintf(liveKitConfig, ports[0], liveKitKey, l.secret, ports[1], ports[2], s.simulcast)
	if l.process, _, err = launch(ctx, []string{program, "--config-body", config}); err != nil {
		return nil, err
	}
	if err := until(ctx, moveTime, l.ready); err != nil {
		l.close()
		return nil, fmt.Errorf("%s did not start: %w: %s", program, err, l.said)
	}
	return l, nil
}

// freePorts are ports of TCP that were free just now. What is free for TCP is hardly
// ever taken for UDP.
func freePorts() (ports [3]int, err error) {
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return ports, err
		}
		defer func() { _ = l.Close() }()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

func (l *liveKit) ready() bool {
	res, err := http.Get("http://" + l.address)
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func (l *liveKit) close() {
	for _, p := range l.people {
		_ = p.conn.CloseNow()
		_ = p.down.Close()
	}
	l.process.close()
}

func (l *liveKit) publish(ctx context.Context, i int, rids []string, tracks []room.Track) (*rtcload.Publisher, error) {
	both := l.shape.publishers > 1 && i < l.shape.subscribers
	p, err := l.join(ctx, fmt.Sprintf("p%d", i), true, both)
	if err != nil {
		return nil, err
	}
	if both {
		l.subscribers[i] = p
	}
	signal := func(ctx context.Context, o room.Offer) (string, error) {
		for _, t := range tracks {
			if err := p.addTrack(ctx, t, rids); err != nil {
				return "", err
			}
		}
		return p.offer(ctx, o.SDP)
	}
	return benchClient.Publish(ctx, signal, "bench", "", rids, tracks...)
}

func (l *liveKit) subscribe(ctx context.Context, i int, tracks []room.Track) (*rtcload.Subscriber, error) {
	p := l.subscribers[i]
	if p == nil {
		var err error
		if p, err = l.join(ctx, fmt.Sprintf("s%d", i), false, true); err != nil {
			return nil, err
		}
	}
	m := message(nil).number(updateSubscribe, 1)
	for _, t := range tracks {
		m = m.text(updateSids, l.sid(t.ID))
	}
	return p.down, p.send(ctx, message(nil).message(requestSubscription, m))
}

func (l *liveKit) sid(track string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sids[track]
}

// join enters the room. What LiveKit offers the person is answered from then on.
func (l *liveKit) join(ctx context.Context, identity string, publishes, subscribes bool) (*liveKitPerson, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": liveKitKey, "sub": identity, "exp": time.Now().Add(time.Hour).Unix(),
		"video": map[string]any{"room": "bench", "roomJoin": true, "canPublish": publishes, "canSubscribe": subscribes},
	}).SignedString([]byte(l.secret))
	if err != nil {
		return nil, err
	}
	p := &liveKitPerson{server: l, answers: make(chan string, 1), published: make(chan struct{}, 8), reached: make(chan string, 8)}
	if p.down, err = benchClient.Accept(); err != nil {
		return nil, err
	}
	// A query without "join_request" asks for the protocol with two connections.
	p.conn, _, err = websocket.Dial(ctx, "ws://"+l.address+"/rtc?auto_subscribe=0&protocol=16&sdk=go",
		&websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		return nil, fmt.Errorf("livekit: %w", err)
	}
	p.conn.SetReadLimit(1 << 20)
	l.people = append(l.people, p)
	go p.read(ctx)
	return p, nil
}

// liveKitPerson is a participant, which has a connection for what it sends, where
// it offers, and one for what it gets, where LiveKit offers.
type liveKitPerson struct {
	server *liveKit
	conn   *websocket.Conn
	down   *rtcload.Subscriber

	answers   chan string   // descriptions
	published chan struct{} // a track has its name
	reached   chan string   // candidates for what it sends
	early     []string      // candidates that came before an offer
}

func (p *liveKitPerson) send(ctx context.Context, m message) error {
	return p.conn.Write(ctx, websocket.MessageBinary, m)
}

// addTrack announces a track and waits for LiveKit's name of it.
func (p *liveKitPerson) addTrack(ctx context.Context, t room.Track, rids []string) error {
	m := message(nil).text(addCid, t.ID).text(addName, t.ID)
	if t.Source == "camera" {
		m = m.number(addType, typeVideo).number(addSource, sourceCamera).number(addWidth, 1280).number(addHeight, 720)
		for i, rid := range rids {
			smaller := len(rids) - 1 - i
			m = m.message(addLayers, message(nil).number(layerQuality, uint64(i)).number(layerWidth, 1280>>smaller).number(layerHeight, 720>>smaller).
				number(layerBitrate, 2_100_000>>(2*smaller)).number(layerSpatial, uint64(i)).text(layerRid, rid))
		}
	} else {
		m = m.number(addType, typeAudio).number(addSource, sourceMic)
	}
	if err := p.send(ctx, message(nil).message(requestAddTrack, m)); err != nil {
		return err
	}
	_, err := receive(ctx, p.published, "publishing a track")
	return err
}

// offer has LiveKit answer, and adds its candidate, which comes separately.
func (p *liveKitPerson) offer(ctx context.Context, sdp string) (answer string, err error) {
	if err := p.send(ctx, message(nil).message(requestOffer, message(nil).text(sdpType, "offer").text(sdpText, sdp))); err != nil {
		return "", err
	}
	if answer, err = receive(ctx, p.answers, "answering an offer"); err != nil {
		return "", err
	}
	candidate, err := receive(ctx, p.reached, "sending a candidate")
	return answer + "a=" + candidate + "\r\n", err
}

func receive[T any](ctx context.Context, from <-chan T, what string) (v T, err error) {
	late := time.NewTimer(moveTime)
	defer late.Stop()
	select {
	case v = <-from:
		return v, nil
	case <-late.C:
		return v, fmt.Errorf("livekit: %s takes too long", what)
	case <-ctx.Done():
		return v, context.Cause(ctx)
	}
}

// read takes what LiveKit says until the connection ends.
func (p *liveKitPerson) read(ctx context.Context) {
	for {
		_, body, err := p.conn.Read(ctx)
		if err != nil {
			return
		}
		// What cannot be read shows as something that does not come.
		_ = message(body).each(func(n protowire.Number, inner message) { _ = p.hear(ctx, n, inner) })
	}
}

func (p *liveKitPerson) hear(ctx context.Context, n protowire.Number, m message) error {
	switch n {
	case responseAnswer:
		p.answers <- m.first(sdpText)
	case responseOffer:
		return p.answer(ctx, m)
	case responseTrickle:
		return p.reach(m)
	case responsePublished:
		p.server.mu.Lock()
		p.server.sids[m.first(publishedCid)] = message(m.first(publishedTrack)).first(trackSid)
		p.server.mu.Unlock()
		p.published <- struct{}{}
	case responseLeave:
		return errors.New("livekit: the server ends the session")
	}
	return nil
}

func (p *liveKitPerson) answer(ctx context.Context, m message) error {
	sdp, err := p.down.Answer(ctx, m.first(sdpText))
	if err != nil {
		return err
	}
	for _, c := range p.early {
		if err := p.down.Connection().AddICECandidate(webrtc.ICECandidateInit{Candidate: c}); err != nil {
			return err
		}
	}
	p.early = nil
	answer := message(nil).text(sdpType, "answer").text(sdpText, sdp).number(sdpID, m.firstNumber(sdpID))
	return p.send(ctx, message(nil).message(requestAnswer, answer))
}

// reach takes a candidate of LiveKit's.
func (p *liveKitPerson) reach(m message) error {
	var c webrtc.ICECandidateInit
	if err := json.Unmarshal([]byte(m.first(trickleInit)), &c); err != nil || c.Candidate == "" {
		return err
	}
	switch {
	case m.firstNumber(trickleTarget) == targetPublisher:
		if strings.Contains(c.Candidate, " udp ") {
			p.reached <- c.Candidate
		}
		return nil
	case p.down.Connection().RemoteDescription() == nil:
		p.early = append(p.early, c.Candidate)
		return nil
	}
	return p.down.Connection().AddICECandidate(c)
}
