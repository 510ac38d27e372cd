package owtportal

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/owtsdp"
	"github.com/muster-fleet/muster/internal/portal"
	"github.com/muster-fleet/muster/internal/room"
)

const (
	publishBoth   = `{"media":{"tracks":[{"type":"audio","mid":"0","source":"mic"},{"type":"video","mid":"1","source":"camera"}]},"attributes":{},"transport":{"type":"webrtc"}}`
	publishScreen = `{"media":{"tracks":[{"type":"video","mid":"9","source":"screen-cast"}]},"transport":{"type":"webrtc"}}`
)

func sections(direction string, mids ...string) (out []string) {
	for i, mid := range mids {
		out = append(out, sectionOf([]string{audio, video}[i%2], mid, direction))
	}
	return out
}

// recording is what OWT's conference controller told clients, through a portal,
// in a room without a mixer.
func recording(t *testing.T) (told []emission, joined []json.RawMessage) {
	t.Helper()
	f, err := os.Open("../../../testdata/owt-media/conference.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Dir, Of, Method string
			Args            []json.RawMessage
			Data            json.RawMessage
		}
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		switch {
		case line.Of == "join":
			joined = append(joined, line.Data)
		case line.Dir == "out" && (line.Method == "notify" || line.Method == "broadcast"):
			at := len(line.Args) - 2 // the event and its data come last
			told = append(told, emission{strings.Trim(string(line.Args[at]), `"`), line.Args[at+1]})
		}
	}
	if len(told) == 0 || len(joined) == 0 {
		t.Fatal("the recording is empty")
	}
	return told, joined
}

// plain is JSON in which what only a transcoder has is left out, and names are
// those of the recording.
func plain(t *testing.T, v any, names ...string) any {
	t.Helper()
	var out any
	if err := json.Unmarshal([]byte(strings.NewReplacer(names...).Replace(jsonOf(t, v))), &out); err != nil {
		t.Fatal(err)
	}
	return strip(out)
}

func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "optional")
		delete(v, "parameters")
		for _, inner := range v {
			strip(inner)
		}
	case []any:
		for _, inner := range v {
			strip(inner)
		}
	}
	return v
}

// Clients hear from us what they hear from OWT's own conference, in its order.
func TestSaysWhatOWTSays(t *testing.T) {
	told, joined := recording(t)
	alice := newActor(t, newFakeSeat("A", "alice"))
	enter := func(a *actor) any {
		may := kinds{true, true}
		return struct {
			Permission permission `json:"permission"`
			Room       roomInfo   `json:"room"`
		}{permission{may, may}, a.view.room("room1")}
	}
	if diff := cmp.Diff(plain(t, joined[0]), plain(t, enter(alice))); diff != "" {
		t.Errorf("the answer to A's join:\n%s", diff)
	}

	session, transport := alice.begin("publish", publishBoth)
	if session != transport {
		t.Errorf("the transport is %s, and its first session %s: the SDK would not find it", transport, session)
	}
	alice.offer(transport, sections("sendonly", "0", "1")...)
	alice.sync(alice.seat.State())
	bob := room.Participant{ID: "B", User: "bob", Role: room.Presenter}
	state := alice.seat.change(func(s *room.State) { s.Participants = append(s.Participants, bob) })
	alice.sync(state)
	alice.ask("stream-control", `{"id":"`+session+`","operation":"pause","data":"audio"}`)
	alice.sync(alice.seat.State())

	names := []string{session, "s1", "A.mic", "s1-0", "A.camera", "s1-1"}
	var want, got []any
	for _, e := range alice.heard {
		p := plain(t, e.data, names...)
		if sdp, is := e.data.(progressNotice); is && sdp.Status == "soac" {
			p = plain(t, progressNotice{sdp.ID, "", "soac", sdpData{"answer", "v=0..."}}, names...)
		}
		got = append(got, []any{e.event, p})
	}
	// of what was recorded, what is for A, up to its mute; the size of the
	// picture is not known to us
	for _, e := range told {
		p := plain(t, e.data)
		text := jsonOf(t, p)
		if strings.Contains(text, `"action":"join","data":{"id":"A"`) || strings.Contains(text, `"field":"."`) || strings.Contains(text, `"u1"`) {
			continue
		}
		want = append(want, []any{e.event, p})
		if strings.Contains(text, "audio.status") {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what A is told (- OWT's, + ours):\n%s", diff)
	}

	other := newFakeSeat("B", "bob")
	other.change(func(s *room.State) {
		s.Participants = slices.Clone(state.Participants)
		s.Participants[0].Tracks = state.Participants[0].Tracks
	})
	if diff := cmp.Diff(plain(t, joined[1]), plain(t, enter(newActor(t, other)), names...)); diff != "" {
		t.Errorf("the answer to B's join:\n%s", diff)
	}
}

// The whole of a participant's doings, as the SFU and the client see them.
func TestPublishesAndSubscribes(t *testing.T) {
	a := newActor(t, newFakeSeat("A", "alice"))
	page := room.Participant{ID: "P", User: "page", Role: room.Presenter, Tracks: []room.PublishedTrack{
		{Track: room.Track{ID: "P.mic", Source: "mic"}}, {Track: room.Track{ID: "P.camera", Source: "camera"}, Muted: true}, {Track: room.Track{ID: "P.screen", Source: "screen"}},
	}}
	a.sync(a.seat.change(func(s *room.State) { s.Participants = append(s.Participants, page) }))
	if got := a.told(); len(got) != 3 || !strings.Contains(got[1], `"P-camera"`) || !strings.Contains(got[1], `"inactive"`) || !strings.Contains(got[2], `"screen-cast"`) {
		t.Fatalf("what a page of ours publishes: %s", got)
	}

	u, transport := a.begin("subscribe", `{"media":{"tracks":[{"type":"audio","mid":"0","from":"P-camera"},{"type":"video","mid":"1","from":"P.camera"}]},"transport":{"type":"webrtc"}}`)
	a.offer(transport, sections("recvonly", "0", "1")...)
	if diff := cmp.Diff(map[string]string{"0": "P.mic", "1": "P.camera"}, a.seat.last().Want); diff != "" {
		t.Error(diff)
	}
	got := strings.Join(a.told(), "\n")
	if strings.Count(got, "msid:"+u+" "+u+"-") != 4 || strings.Contains(got, "msid:room") {
		t.Errorf("the tracks of a subscription are not of one stream of its own: %s", got)
	}

	s, _ := a.begin("publish", strings.Replace(strings.Replace(publishBoth, `"0"`, `"2"`, 1), `"1"`, `"3"`, 1))
	second, _ := a.begin("publish", publishScreen)
	a.offer(transport, slices.Concat(sections("recvonly", "0", "1"), sections("sendonly", "2", "3"), []string{sectionOf(video, "7", "sendonly")})...)
	if all := owtsdp.Blocks(a.seat.sdp); len(all) != 6 || owtsdp.Direction(all[4]) != "sendonly" || owtsdp.Direction(all[5]) != "inactive" {
		t.Errorf("the SFU is offered what was not announced: %q", a.seat.sdp)
	}
	if diff := cmp.Diff(map[string]room.Track{"2": {ID: "A.mic", Source: "mic"}, "3": {ID: "A.camera", Source: "camera"}}, a.seat.last().Publish); diff != "" {
		t.Errorf("an offer without the section of %s:\n%s", second, diff)
	}
	again, _ := a.begin("publish", `{"media":{"tracks":[{"type":"video","mid":"4","source":"camera"}]},"attributes":{"a":1},"transport":{"type":"webrtc","id":"`+transport+`"}}`)
	a.offer(transport, slices.Concat(sections("recvonly", "0", "1"), sections("sendonly", "2", "3"), []string{sectionOf(video, "4", "sendonly"), sectionOf(video, "9", "sendonly")})...)
	a.told()
	a.sync(a.seat.State())
	if got := a.told(); len(got) != 3 || !strings.Contains(strings.Join(got, ""), `"A.camera-2"`) || !strings.Contains(strings.Join(got, ""), `"attributes":{"a":1}`) {
		t.Errorf("a second camera, and a screen: %s", got)
	}

	for _, c := range []struct {
		name, event, arg string
		publish          map[string]room.Track
		want             map[string]string
	}{
		{"subscription paused", "subscription-control", `{"id":"` + u + `","operation":"pause","data":"video"}`, nil, map[string]string{"0": "P.mic", "1": ""}},
		{"subscription played", "subscription-control", `{"id":"` + u + `","operation":"play","data":"av"}`, nil, map[string]string{"0": "P.mic", "1": "P.camera"}},
		{"subscription updated", "subscription-control", `{"id":"` + u + `","operation":"update","data":{"video":{"from":"P-screen"}}}`, nil, map[string]string{"0": "P.mic", "1": "P.screen"}},
		{"stream paused", "stream-control", `{"id":"` + again + `","operation":"pause","data":"video"}`, map[string]room.Track{"4": {}}, nil},
		{"stream played", "stream-control", `{"id":"` + again + `","operation":"play","data":"video"}`, map[string]room.Track{"4": {ID: "A.camera-2", Source: "camera"}}, nil},
		{"stream ended", "unpublish", `{"id":"` + s + `"}`, map[string]room.Track{"2": {}, "3": {}}, nil},
		{"subscription is ended", "unsubscribe", `{"id":"` + u + `"}`, nil, map[string]string{"0": "", "1": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := a.ask(c.event, c.arg); got != `["ok"]` {
				t.Error(got)
			}
			if diff := cmp.Diff(room.Change{Publish: orNone(c.publish), Want: orNone(c.want)}, a.seat.last()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func orNone[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// What clients ask that they may not, or that makes no sense.
func TestRefusals(t *testing.T) {
	a := newActor(t, newFakeSeat("A", "alice"))
	b := room.Participant{ID: "B", User: "bob", Role: room.Presenter, Tracks: []room.PublishedTrack{{Track: room.Track{ID: "B.camera", Source: "camera"}, About: `{"stream":"theirs","source":"camera"}`}}}
	a.sync(a.seat.change(func(s *room.State) { s.Participants = append(s.Participants, b) }))
	s, transport := a.begin("publish", publishBoth)
	a.offer(transport, sections("sendonly", "0", "1")...)
	u, _ := a.begin("subscribe", `{"media":{"tracks":[{"type":"video","mid":"2","from":"theirs"}]},"transport":{"type":"webrtc"}}`)
	asked := len(a.seat.asked)
	for want, all := range map[string][][2]string{
		unauthorized: {
			{"unpublish", `{"id":"theirs"}`}, {"stream-control", `{"id":"theirs","operation":"pause","data":"av"}`},
		},
		"Stream does NOT exist":       {{"unpublish", `{"id":"x"}`}, {"unpublish", `{"id":"` + u + `"}`}, {"stream-control", `{"id":"x","operation":"pause","data":"av"}`}},
		"Subscription does NOT exist": {{"unsubscribe", `{"id":"x"}`}, {"unsubscribe", `{"id":"` + s + `"}`}, {"subscription-control", `{"id":"x","operation":"pause","data":"av"}`}},
		"Transport x does NOT exist": {
			{"soac", `{"id":"x","signaling":{"type":"offer","sdp":"v=0"}}`},
			{"publish", strings.Replace(publishScreen, `"webrtc"`, `"webrtc","id":"x"`, 1)},
		},
		"no mixer":                          {{"stream-control", `{"id":"` + s + `","operation":"mix","data":"common"}`}},
		"is in use":                         {{"publish", strings.Replace(publishScreen, `"9"`, `"1"`, 1)}},
		"Target participant does NOT exist": {{"text", `{"to":"nobody","message":"x"}`}},
		"Invalid receiver":                  {{"text", `{"message":"x"}`}, {"text", `7`}},
		"Illegal request":                   {{"nonsense", `{}`}},
		"the attributes have":               {{"publish", strings.Replace(publishScreen, `"transport"`, `"attributes":"`+strings.Repeat("x", maxAttributes)+`","transport"`, 1)}},
		"early released":                    {{"subscribe", `{"media":{"tracks":[{"type":"video","mid":"5","from":"x"}]}}`}},
		"Requested audio stream":            {{"subscribe", `{"media":{"tracks":[{"type":"audio","mid":"5","from":"theirs"}]}}`}},
		"Resolution is not acceptable": {
			{"subscribe", `{"media":{"tracks":[{"type":"video","mid":"5","from":"theirs","parameters":{"resolution":{"width":1,"height":1}}}]}}`},
			{"subscription-control", `{"id":"` + u + `","operation":"update","data":{"video":{"parameters":{"resolution":{"width":1,"height":1}}}}}`},
		},
		malformed: {
			{"publish", `{}`}, {"publish", `[`}, {"subscribe", ``}, {"subscribe", `{"media":null}`}, {"soac", `1`}, {"unpublish", `1`},
			{"publish", strings.Replace(publishScreen, "screen-cast", "window", 1)}, {"publish", strings.Replace(publishScreen, `"video"`, `"data"`, 1)},
			{"publish", strings.Replace(publishScreen, `"9"`, `""`, 1)}, {"publish", strings.Replace(publishBoth, `"1"`, `"0"`, 1)},
			{"soac", `{"id":"` + transport + `","signaling":{"type":"pranswer","sdp":"v=0"}}`},
			{"stream-control", `{"id":"` + s + `","operation":"pause","data":7}`}, {"subscription-control", `{"id":"` + u + `","operation":"pause","data":"all"}`},
			{"subscription-control", `{"id":"` + u + `","operation":"stop"}`}, {"subscription-control", `{"id":"` + u + `","operation":"update","data":7}`},
		},
	} {
		for _, c := range all {
			if got := a.ask(c[0], c[1]); !strings.HasPrefix(got, `["error","`) || !strings.Contains(got, want) {
				t.Errorf("%s %s: %s, want %s", c[0], c[1], got, want)
			}
		}
	}
	if len(a.seat.asked) != asked {
		t.Errorf("the SFU was asked for what was refused: %+v", a.seat.asked[asked:])
	}
	for i := range 3 {
		a.begin("publish", strings.ReplaceAll(strings.ReplaceAll(publishBoth, `"0"`, `"a`+string(rune('0'+i))+`"`), `"1"`, `"b`+string(rune('0'+i))+`"`))
	}
	if got := a.ask("publish", publishScreen); !strings.Contains(got, "Too many inputs") {
		t.Errorf("a ninth track: %s", got)
	}

	seat := newFakeSeat("V", "viewer")
	seat.role = room.Viewer
	v := newActor(t, seat)
	if got := v.ask("publish", publishBoth); !strings.Contains(got, unauthorized) {
		t.Errorf("a viewer publishes: %s", got)
	}
}

// An SFU that is lost, drained, or refuses: the client is told that its transport
// is dead, others that its streams are gone, and another transport may follow.
func TestTransportsEnd(t *testing.T) {
	for name, end := range map[string]func(*actor){
		"lost": func(a *actor) { a.sync(a.seat.change(func(s *room.State) { s.Part.Node = "" })) },
		"moved": func(a *actor) {
			a.sync(a.seat.change(func(s *room.State) { s.Part.Node = "sfu-2"; s.Part.Drained = true }))
		},
		"ended": func(a *actor) { a.hear(portal.News{Ended: a.seat.Session("owt1")}); a.finish(nil) },
		"refused": func(a *actor) {
			a.seat.broken = &bus.RemoteError{Reason: "no"}
			a.offer(a.transport.id, sections("sendonly", "0", "1")...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newActor(t, newFakeSeat("A", "alice"))
			s, transport := a.begin("publish", publishBoth)
			a.offer(transport, sections("sendonly", "0", "1")...)
			a.sync(a.seat.State())
			a.hear(portal.News{Ended: a.seat.Session("other")})
			a.told()
			end(a)
			got := a.told()
			if len(got) == 0 || !strings.HasPrefix(got[len(got)-1], `progress {"id":"`+transport+`","status":"error","data":"`) {
				t.Fatalf("the client is told %s", got)
			}
			if tracks := a.seat.State().Participants[0].Tracks; len(tracks) != 0 {
				t.Errorf("the room still has %+v", tracks)
			}
			if diff := cmp.Diff([]string{"sfu-1 owt1"}, a.seat.ended); diff != "" {
				t.Errorf("sessions ended:\n%s", diff)
			}
			if got := a.ask("unpublish", `{"id":"`+s+`"}`); !strings.Contains(got, "error") {
				t.Error(got)
			}
			a.seat.broken = nil
			a.seat.change(func(s *room.State) { s.Part.Node = "sfu-2" })
			next, transport := a.begin("publish", publishBoth)
			a.offer(transport, sections("sendonly", "0", "1")...)
			if got := strings.Join(a.told(), "\n"); next == s || !strings.Contains(got, `"sessionId":"`+next+`","status":"ready"`) {
				t.Errorf("after it: %s", got)
			}
		})
	}
}

// A subscription ends with its source, and not with one of its tracks.
func TestSourcesEnd(t *testing.T) {
	a := newActor(t, newFakeSeat("A", "alice"))
	b := room.Participant{ID: "B", User: "bob", Role: room.Presenter, Tracks: []room.PublishedTrack{
		{Track: room.Track{ID: "B.mic", Source: "mic"}}, {Track: room.Track{ID: "B.camera", Source: "camera"}},
	}}
	a.sync(a.seat.change(func(s *room.State) { s.Participants = append(s.Participants, b) }))
	u, transport := a.begin("subscribe", `{"media":{"tracks":[{"type":"audio","mid":"0","from":"B-camera"},{"type":"video","mid":"1","from":"B-camera"}]}}`)
	a.offer(transport, sections("recvonly", "0", "1")...)
	a.told()
	a.sync(a.seat.change(func(s *room.State) { s.Participants[1].Tracks = b.Tracks[:1] }))
	if got := a.told(); len(got) != 1 || !strings.Contains(got[0], `"field":"."`) {
		t.Errorf("the camera is off: %s", got)
	}
	a.sync(a.seat.change(func(s *room.State) { s.Participants = s.Participants[:1] }))
	want := []string{
		`participant {"action":"leave","data":"B"}`, `stream {"id":"B-camera","status":"remove"}`,
		`progress {"id":"` + transport + `","sessionId":"` + u + `","status":"error","data":"Source stream loss"}`,
	}
	if diff := cmp.Diff(want, a.told()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"0": "", "1": ""}, a.seat.last().Want); diff != "" {
		t.Errorf("the SFU still sends:\n%s", diff)
	}
}

func TestTexts(t *testing.T) {
	a := newActor(t, newFakeSeat("A", "alice"))
	a.ask("text", `{"to":"all","message":"hello"}`)
	a.ask("text", `{"to":"A","message":"note"}`)
	if diff := cmp.Diff([]string{": hello", "A: note"}, a.seat.texts); diff != "" {
		t.Error(diff)
	}
	a.hear(portal.News{Text: &portal.Text{From: "B", Text: "hello"}})
	a.hear(portal.News{Text: &portal.Text{From: "B", To: "A", Text: "you"}})
	if diff := cmp.Diff([]string{`text {"from":"B","to":"all","message":"hello"}`, `text {"from":"B","to":"me","message":"you"}`}, a.told()); diff != "" {
		t.Error(diff)
	}
}
