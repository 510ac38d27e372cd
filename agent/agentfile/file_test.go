package agentfile_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/agent"
	"github.com/muster-fleet/muster/agent/agentfile"
	"github.com/muster-fleet/muster/config"
)

const webrtc = "testdata/webrtc.toml"

func TestEveryKeyOfOWTIsRead(t *testing.T) {
	got, err := agentfile.Read(webrtc, "webrtc")
	if err != nil {
		t.Fatal(err)
	}
	policy := agent.DefaultPolicy("webrtc")
	policy.MaxNodes, policy.Prerun = 13, 3
	want := &agentfile.File{
		Policy: policy, Cluster: "studio", JoinRetries: 7, LoadInterval: 500 * time.Millisecond, MaxLoad: 0.7,
		Load:     agentfile.Load{Item: "network", Interface: "eth9", Mbps: 250},
		Capacity: muster.Capacity{ISPs: []string{"telco"}, Regions: []string{"eu", "us"}},
		IP:       "192.0.2.7", Hostname: "gate.example", Port: 8443,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(agentfile.File{})); diff != "" {
		t.Error("want -, got +", diff)
	}
}

// What an OWT node is started with: the file, completed as OWT's loader does.
func TestNodeConfig(t *testing.T) {
	f, err := agentfile.Read(webrtc, "webrtc")
	if err != nil {
		t.Fatal(err)
	}
	text, err := f.NodeConfig("webrtc", "192.0.2.9")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]map[string]any
	loose := map[string]any{}
	if err := json.Unmarshal(text, &loose); err != nil {
		t.Fatal(err)
	}
	if loose["purpose"] != "webrtc" {
		t.Errorf("purpose is %v", loose["purpose"])
	}
	delete(loose, "purpose")
	text, _ = json.Marshal(loose)
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		section, key string
		want         any
	}{
		{"agent", "maxProcesses", 13.0}, {"cluster", "name", "studio"}, {"rabbit", "host", "rabbit.example"},
		{"internal", "ip_address", "192.0.2.9"}, {"webrtc", "keystorePath", "./cert/certificate.pfx"}, {"webrtc", "num_workers", 24.0},
		{"cluster", "worker", map[string]any{"ip": "192.0.2.9", "join_retry": 7.0, "load": map[string]any{
			"max": 0.7, "period": 500.0, "item": map[string]any{"name": "network", "interf": "eth9", "max_scale": 250.0}}}},
	} {
		if diff := cmp.Diff(c.want, got[c.section][c.key]); diff != "" {
			t.Errorf("%s.%s: want -, got + %s", c.section, c.key, diff)
		}
	}
}

func TestDefaultsAreOWTs(t *testing.T) {
	for purpose, want := range map[string]agentfile.Load{
		"video": {Item: "cpu"}, "recording": {Item: "disk", Disk: "/tmp"},
		"streaming": {Item: "network", Interface: "lo", Mbps: 1000}, "conference": {Item: "cpu"},
	} {
		f := agentfile.Default(purpose)
		if f.Load != want {
			t.Errorf("%s: load %+v, want %+v", purpose, f.Load, want)
		}
		if f.Policy != agent.DefaultPolicy(purpose) || f.Cluster != "owt-cluster" || f.MaxLoad != 0.85 || f.JoinRetries != 60 {
			t.Errorf("%s: %+v", purpose, f)
		}
	}
}

func TestErrorsNamePlaceAndKey(t *testing.T) {
	for text, want := range map[string]string{
		"[agent]\nmaxProcesses = \"many\"":          "2:16: agent.maxProcesses:",
		"[agent]\nmaxProcesses = -2":                "agent.maxProcesses must be -1",
		"[cluster]\nmax_load = 85":                  "cluster.max_load must be above 0",
		"[cluster]\nreport_load_interval = 0":       "cluster.report_load_interval must be",
		"[agent]\nenable_grpc = true":               "agent.enable_grpc: Muster's agents are reached over the message queue only",
		"[cluster\n":                                "1:",
		"[video]\nhostname = 3":                     "video: hostname must be a string",
		"[agent]\nprerunProcesses = -1":             "agent.prerunProcesses must not",
		"[cluster]\nnetwork_max_scale = -1":         "cluster.network_max_scale must be",
		"[capacity]\nregions = \"eu\"":              "capacity.regions",
		"[agent]\nmaxProcesses = 1\nmaxProcesses=2": "3:",
	} {
		_, err := agentfile.Parse([]byte(text), "video")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", text, err, want)
		}
	}
}

// The message queue of an agent.toml is read by package config, which leaves
// the other sections alone.
func TestRabbitOfAnAgentFile(t *testing.T) {
	c, err := config.LoadShared(webrtc)
	if err != nil {
		t.Fatal(err)
	}
	if c.BusKind() != config.RabbitMQ || c.Rabbit.Host != "rabbit.example" || c.Rabbit.Port != 5673 {
		t.Errorf("got %v, %+v", c.BusKind(), c.Rabbit)
	}
	if _, err := config.Load(webrtc); err == nil {
		t.Error("a manager takes an agent's file for its own")
	}
}

// npm's toml, by which OWT reads the file, takes leading zeros and unknown
// escapes.
func TestWhatNpmTakesIsTaken(t *testing.T) {
	f, err := agentfile.Parse([]byte("[agent]\nmaxProcesses = 013\n[recording]\npath = \"D:\\media\\dir\"\n"), "recording")
	if err != nil {
		t.Fatal(err)
	}
	if f.Policy.MaxNodes != 13 || f.Load.Disk != `D:\media\dir` {
		t.Errorf("%+v", f)
	}
}

// What OWT's loader computes goes to the manager and to the nodes.
func TestLoaded(t *testing.T) {
	const made = `{"agent":{"maxProcesses":13,"prerunProcesses":3},"cluster":{"name":"studio","worker":{"ip":"192.0.2.7","join_retry":7,
		"load":{"max":0.7,"period":500,"item":{"name":"gpu"}}}},"video":{"codecs":{"encode":["vp8"],"decode":["h264"]},"hostname":"gate","port":8443},
		"capacity":{"isps":["telco"],"video":{"encode":["vp8"],"decode":["h264"]},"algorithms":["face"]},"avstream":{"initializeTimeout":3000}}`
	f, err := agentfile.Loaded(json.RawMessage(made), "video")
	if err != nil {
		t.Fatal(err)
	}
	policy := agent.DefaultPolicy("video")
	policy.MaxNodes, policy.Prerun = 13, 3
	want := &agentfile.File{
		Policy: policy, Cluster: "studio", JoinRetries: 7, LoadInterval: 500 * time.Millisecond, MaxLoad: 0.7, Load: agentfile.Load{Item: "gpu"},
		Capacity: muster.Capacity{ISPs: []string{"telco"}, Algorithms: []string{"face"}, Video: &muster.Formats{Encode: []string{"vp8"}, Decode: []string{"h264"}}},
		IP:       "192.0.2.7", Hostname: "gate", Port: 8443,
	}
	if diff := cmp.Diff(want, f, cmpopts.IgnoreUnexported(agentfile.File{})); diff != "" {
		t.Error("want -, got +", diff)
	}
	text, err := f.NodeConfig("video", "192.0.2.9")
	var node, expected map[string]any
	if err != nil || json.Unmarshal(text, &node) != nil || json.Unmarshal([]byte(made), &expected) != nil {
		t.Fatal(err)
	}
	expected["purpose"] = "video"
	if diff := cmp.Diff(expected, node); diff != "" {
		t.Error("the nodes get: want -, got +", diff)
	}
	for bad, want := range map[string]string{`[]`: "OWT's loader", `{"agent":{"enable_grpc":true}}`: "agent.enable_grpc"} {
		if _, err := agentfile.Loaded(json.RawMessage(bad), "video"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
