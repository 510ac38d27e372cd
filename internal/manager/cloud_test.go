package manager

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// cloudLog is a cloud that notes what it is told.
type cloudLog struct{ lines []string }

func (l *cloudLog) note(format string, a ...any) {
	l.lines = append(l.lines, fmt.Sprintf(format, a...))
}

func (l *cloudLog) Capacity(purpose string, there bool)    { l.note("%s %v", purpose, there) }
func (l *cloudLog) Conference(room, token json.RawMessage) { l.note("conference %s %s", room, token) }
func (l *cloudLog) Register(info json.RawMessage)          { l.note("register %s", info) }
func (l *cloudLog) Leave(room json.RawMessage)             { l.note("leave %s", room) }

// The leader reports what OWT's manager does, answers as it does, and reports
// that the last worker of a purpose left, which OWT means to.
func TestCloudHearsWhatOWTReports(t *testing.T) {
	c := newTestCore()
	cloud := &cloudLog{}
	c.opts.Cloud = cloud
	join := func(purpose, worker string) { ask(t, c, "join", `["`+purpose+`","`+worker+`",`+testInfo+`]`) }
	join("webrtc", "w1")
	join("webrtc", "w2")
	join("webrtc", "w1")
	join("video", "v1")
	ask(t, c, "quit", `["w1"]`)
	ask(t, c, "quit", `["w2"]`)
	join("webrtc", "w3")
	join("video", "w3") // a worker that changes its purpose
	expect(t, ask(t, c, "registerInfo", `[{"servicekey":"k"}]`), `{"data":"ok","type":"callback"}`)
	ask(t, c, "getClusterID", `["room1","token"]`)
	ask(t, c, "getClusterID", `[]`)
	expect(t, ask(t, c, "leaveConference", `["room1"]`), `{"data":"ok","type":"callback"}`)
	want := `webrtc true, video true, webrtc false, webrtc true, webrtc false, register {"servicekey":"k"}, conference "room1" "token", conference  , leave "room1"`
	if got := strings.Join(cloud.lines, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	cloud.lines = nil
	c.reportAllCapacity() // as a leader that comes anew
	if got := strings.Join(cloud.lines, ", "); got != "video true" {
		t.Errorf("a new leader reports %s", got)
	}
}

// A manager that does not lead tells the cloud nothing.
func TestFollowersTellTheCloudNothing(t *testing.T) {
	c := newTestCore()
	cloud := &cloudLog{}
	c.opts.Cloud, c.role.Kind = cloud, 0
	for _, call := range []string{"getClusterID", "registerInfo", "leaveConference"} {
		ask(t, c, call, `["x","y"]`)
	}
	if len(cloud.lines) != 0 {
		t.Errorf("told %q", cloud.lines)
	}
}
