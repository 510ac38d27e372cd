package owtnode_test

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// message is a line of a recording.
type message struct {
	Dir, To, Method string
	Args            []json.RawMessage
	Answer          json.RawMessage
}

func (m message) String() string { return m.Method + jsonOf(m.Args) }

func recorded(t *testing.T, file string) (out []message) {
	t.Helper()
	f, err := os.Open("../../../testdata/owt-media/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// differences are the calls that are answered in another way than the recording
// has it, whose nodes were played and knew no refusal.
var differences = map[string]string{
	// The tracks ended with their subscription; OWT's nodes refuse this too.
	`cutoff["u1-0"]`: `error Connection does NOT exist:u1-0`,
	`cutoff["u1-1"]`: `error Connection does NOT exist:u1-1`,
	`cutoff["u1-2"]`: `error Connection does NOT exist:u1-2`,
	`cutoff["u1-3"]`: `error Connection does NOT exist:u1-3`,
	// Mixers are nodes of their own.
	`linkup["u1-2",{"audio":{"id":"mixaudio-B","ip":"127.0.0.1","port":12000}}]`: `error mixaudio-B is at another node (127.0.0.1:12000)`,
	`linkup["u1-3",{"video":{"id":"mixvideo","ip":"127.0.0.1","port":12001}}]`:   `error mixvideo is at another node (127.0.0.1:12001)`,
}

// player plays the conference of a recording to the node.
type player struct {
	*rig
	clients map[string]*client // by transport
	offered map[string]bool
	shown   map[string]bool // of differences
}

// What OWT's conference said to its webrtc nodes, to ours: the answers are the
// recorded ones, and what our node says is what it heard. Two clients are there,
// and what one sends arrives at the other.
func TestRecordings(t *testing.T) {
	shown := map[string]bool{}
	for _, file := range []string{"conference.jsonl", "conference-mixed.jsonl"} {
		t.Run(file, func(t *testing.T) {
			p := &player{rig: startRig(t), clients: map[string]*client{"s1": newClient(t), "u1": newClient(t)}, offered: map[string]bool{}, shown: map[string]bool{}}
			p.clients["s1"].send(webrtc.MimeTypeOpus)
			p.clients["s1"].send(webrtc.MimeTypeVP8)
			p.clients["u1"].receive(webrtc.RTPCodecTypeAudio)
			p.clients["u1"].receive(webrtc.RTPCodecTypeVideo)
			for _, m := range recorded(t, file) {
				switch {
				case m.Dir == "out" && strings.HasPrefix(m.To, "webrtc-agent_"):
					p.called(m)
				case m.Dir == "incast" && m.Method != "onSessionProgress":
					p.cast(m)
				}
			}
			p.isEmpty()
			for m := range p.shown {
				shown[m] = true
			}
		})
	}
	for m := range differences {
		if !shown[m] {
			t.Errorf("a difference that does not show: %s", m)
		}
	}
}

// called makes a call of the conference's.
func (p *player) called(m message) {
	p.t.Helper()
	args := make([]any, len(m.Args))
	for i, a := range m.Args {
		args[i] = a
	}
	if m.Method == "onTransportSignaling" {
		transport := strings.Trim(string(m.Args[0]), `"`)
		args[1] = map[string]any{"type": "offer", "sdp": p.clients[transport].offer()}
	}
	got, want := p.call(m.Method, args...), string(m.Answer)
	switch different := differences[m.String()]; {
	case m.Method == "getInternalAddress":
		if !strings.HasPrefix(got, `{"ip":"127.0.0.1","port":`) {
			p.t.Errorf("%v: %s", m, got)
		}
	case different != "":
		p.shown[m.String()] = true
		if !strings.HasPrefix(got, different) {
			p.t.Errorf("%v: %s, want %s", m, got, different)
		}
	case got != want:
		p.t.Errorf("%v: %s, want %s", m, got, want)
	}
	p.look(m)
}

// look looks at the media after a call.
func (p *player) look(m message) {
	p.t.Helper()
	b := p.clients["u1"]
	switch m.String() {
	case `linkup["u1-1",{"video":{"id":"s1-1","ip":"127.0.0.1","port":12002}}]`, `linkup["u1-1",{"video":{"id":"s1-1","ip":"127.0.0.1","port":12000}}]`:
		if a := b.hears("0", 10); a.stream != "u1" {
			p.t.Errorf("the stream is %s, want u1", a.stream)
		}
		b.hears("1", 10)
	case `mediaOnOff["u1",["u1-1"],"out","off"]`:
		b.silent("1", "0")
	}
}

// cast waits for a cast of the node's. Between those of the recording are ones
// that its played nodes left out.
func (p *player) cast(m message) {
	p.t.Helper()
	if args := m.String(); strings.Contains(args, `"u2"`) && !p.offered["u2"] {
		p.offered["u2"] = true
		b := p.clients["u1"]
		b.receive(webrtc.RTPCodecTypeAudio)
		b.receive(webrtc.RTPCodecTypeVideo)
		p.ok("onTransportSignaling", "u1", map[string]any{"type": "offer", "sdp": b.offer()})
	}
	var want any
	if err := json.Unmarshal([]byte(jsonOf(m.Args)), &want); err != nil {
		p.t.Fatal(err)
	}
	for {
		c := p.next()
		if c.sdp != "" {
			p.clients[c.args[0].(string)].take(c.sdp)
		}
		if c.method == m.Method && jsonOf(c.args) == jsonOf(want) {
			return
		}
		if !strings.Contains(c.String(), `"answer"`) && !strings.Contains(c.String(), "track-removed") {
			p.t.Fatalf("the node says %v, want %v", c, m)
		}
	}
}
