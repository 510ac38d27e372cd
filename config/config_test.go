package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/internal/state"
)

func parse(t *testing.T, lines ...string) *Config {
	t.Helper()
	c, err := Parse("m.toml", []byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOWTsFile(t *testing.T) {
	data, err := os.ReadFile("testdata/cluster_manager.toml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse("cluster_manager.toml", data)
	if err != nil {
		t.Fatal(err)
	}
	manager := Manager{
		Name: "owt-cluster", InitialTime: 6 * time.Second, CheckAliveInterval: time.Second, CheckAliveCount: 3, MaxSilentShare: 0.5, RecheckShare: 0.05, StaleAfter: time.Second, Replica: "auto",
		ReserveTime: time.Minute, TotalNode: 3, ElectTimeout: time.Second,
	}
	if diff := cmp.Diff(manager, c.Manager); diff != "" {
		t.Error("[manager], want -, got +", diff)
	}
	strategies := state.DefaultConfig().Strategies
	strategies["webrtc"], strategies["quic"] = muster.WeightRobin, muster.RoundRobin
	placing := state.Config{Strategies: strategies, General: muster.LastUsed, ReserveMillis: 60_000, Debit: state.DefaultConfig().Debit}
	if diff := cmp.Diff(placing, c.Placement()); diff != "" {
		t.Error("Placement, want -, got +", diff)
	}
	cascading := Cascading{URL: "https://inter.example:9443", Region: "north", ClusterID: "north-1", SelfIP: "192.0.2.7", SelfPort: 7700}
	if c.Cascading != cascading {
		t.Errorf("[cascading]: got %+v, want %+v", c.Cascading, cascading)
	}
	opts, err := c.BusOptions()
	if err != nil || c.BusKind() != RabbitMQ || opts.URL != "amqp://rabbit.media.example:5673" ||
		opts.User != "owt" || opts.Password != "correct horse" || opts.TLS != nil {
		t.Errorf("bus: %s, %+v, %v", c.BusKind(), opts, err)
	}
	want := []string{"cluster_manager.toml:26:1: manager.totalNode: has no effect: each manager works alone"}
	if diff := cmp.Diff(want, c.Warnings()); diff != "" {
		t.Error("warnings, want -, got +", diff)
	}
}

func TestDefaultsOfIssue(t *testing.T) {
	c := parse(t)
	if diff := cmp.Diff(state.DefaultConfig(), c.Placement()); diff != "" {
		t.Error("Placement, want -, got +", diff)
	}
	m := c.Manager
	if m.Name != "owt-cluster" || m.InitialTime != 10*time.Second || m.CheckAliveInterval != time.Second ||
		m.CheckAliveCount != 10 || m.ReserveTime != time.Minute {
		t.Errorf("manager: %+v", m)
	}
	if c.BusKind() != Embedded || c.Bus.Listen != "127.0.0.1:4222" || c.BusURL() != "nats://127.0.0.1:4222" {
		t.Errorf("bus: %s, %s", c.BusKind(), c.BusURL())
	}
	if c := parse(t, "[rabbit]"); c.BusKind() != RabbitMQ || c.BusURL() != "amqp://localhost:5672" {
		t.Errorf("empty [rabbit]: %s at %s", c.BusKind(), c.BusURL())
	}
}

func TestWaysToWrite(t *testing.T) {
	c := parse(t,
		"\ufeffbus.tls = { ca = 'a.pem', server_name = \"x\" }\r",
		"bus.url = 'tls://h'",
		"manager.initial_time = 0",
		"manager.check_alive_interval = '2s'",
		"manager.check_alive_count = 0x10",
		"manager.schedule_reserve_time = '90s'",
		"[placement]",
		"debit = 0.25",
		"debit_floor = 0",
		"[strategy]",
		"'my purpose' = 'two-choices'",
		"[labels]",
		`"k8s.io/zone" = "a"`,
	)
	if c.Bus.TLS != (TLS{CA: "a.pem", ServerName: "x"}) {
		t.Errorf("bus.tls: %+v", c.Bus.TLS)
	}
	m := c.Manager
	if m.InitialTime != 0 || m.CheckAliveInterval != 2*time.Second || m.CheckAliveCount != 16 || m.ReserveTime != 90*time.Second {
		t.Errorf("manager: %+v", m)
	}
	if c.Debit != (state.Debit{Mode: state.DebitFixed, Fixed: 0.25}) {
		t.Errorf("debit: %+v", c.Debit)
	}
	if c.Strategy.ByPurpose["my purpose"] != muster.TwoChoices || c.Labels["k8s.io/zone"] != "a" {
		t.Errorf("made-up keys: %v, %v", c.Strategy.ByPurpose, c.Labels)
	}
	if err := c.Placement().Validate(); err != nil {
		t.Error(err)
	}
}

func TestBusIsChosen(t *testing.T) {
	rabbit := "[rabbit]\nhost='h'\nvhost='a/b'\nusername='u'\npassword='p'\n"
	for _, test := range []struct {
		file, env, flag string
		kind            BusKind
		url, user       string
	}{
		{"", "", "", Embedded, "nats://127.0.0.1:4222", ""},
		{"[bus]\nlisten='0.0.0.0:99'\nuser='me'", "", "", Embedded, "nats://127.0.0.1:99", "me"},
		{"[bus]\nlisten='[::]:99'", "", "", Embedded, "nats://127.0.0.1:99", ""},
		{"[bus]\nurl='tls://n:1, nats://m:2'", "", "", NATS, "tls://n:1, nats://m:2", ""},
		{"[bus]\nurl='amqps://r'", "", "", RabbitMQ, "amqps://r", ""},
		{rabbit, "", "", RabbitMQ, "amqp://h:5672/a%2Fb", "u"},
		{rabbit + "[bus]\nuser='other'", "", "", RabbitMQ, "amqp://h:5672/a%2Fb", "other"},
		{rabbit + "[bus]\nurl='nats://n'", "", "", RabbitMQ, "amqp://h:5672/a%2Fb", "u"},
		{rabbit + "[bus.tls]\nserver_name='x'", "", "", RabbitMQ, "amqps://h:5672/a%2Fb", "u"},
		{rabbit + "[bus]\nurl='amqp://r'\ntls.server_name='x'", "", "", RabbitMQ, "amqps://h:5672/a%2Fb", "u"},
		{rabbit, "nats://n", "", NATS, "nats://n", ""},
		{rabbit, "nats://n", "amqp://m", RabbitMQ, "amqp://m", ""},
		{"[rabbit]\nhost='::1'", "", "", RabbitMQ, "amqp://[::1]:5672", ""},
	} {
		c := parse(t, test.file)
		if test.env != "" {
			if err := c.ApplyEnv([]string{"MUSTER_BUS_URL=" + test.env}); err != nil {
				t.Fatal(err)
			}
		}
		if test.flag != "" {
			if err := c.SetFlag("--url", "bus.url", test.flag); err != nil {
				t.Fatal(err)
			}
		}
		opts, err := c.BusOptions()
		if err != nil || c.BusKind() != test.kind || opts.URL != test.url || opts.User != test.user {
			t.Errorf("%q, %q, %q: got %s at %s as %q (%v), want %+v", test.file, test.env, test.flag, c.BusKind(), opts.URL, opts.User, err, test)
		}
	}
}

// A value comes from the strongest source, and Origin says which.
func TestOriginOfValue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.toml")
	if err := os.WriteFile(path, []byte("[bus]\n  listen = '127.0.0.1:1'\nuser = 'file'\npassword = 'p'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MUSTER_BUS_USER", "environment")
	t.Setenv("MUSTER_BUS_URL", "nats://environment")
	t.Setenv("MUSTER_BUS_PASSWORD", "")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetFlag("--url", "bus.url", "nats://flag"); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"bus.listen": path + ":2:3", "bus.password": path + ":4:1", "bus.user": "environment MUSTER_BUS_USER",
		"bus.url": "flag --url", "manager.name": "default",
	} {
		if got := c.Origin(key).String(); got != want {
			t.Errorf("%s comes from %s, want %s", key, got, want)
		}
	}
	if c.Bus.URL != "nats://flag" || c.Bus.User != "environment" || c.Bus.Password != "p" || c.Bus.Listen != "127.0.0.1:1" {
		t.Error("values are not those of the strongest source:", c.Bus.URL, c.Bus.User, c.Bus.Listen)
	}
}

func TestLoadWithoutFile(t *testing.T) {
	t.Setenv("MUSTER_BUS_URL", "nats://somewhere")
	c, err := Load("")
	if err != nil || c.BusKind() != NATS {
		t.Fatal(c, err)
	}
	missing := filepath.Join(t.TempDir(), "none.toml")
	if _, err := Load(missing); !os.IsNotExist(unwrapAll(err)) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func unwrapAll(err error) error {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		if _, ok := err.(*os.PathError); ok {
			return err
		}
		err = inner.Unwrap()
	}
}

// No way of printing a configuration reveals a secret.
func TestSecretsStayHidden(t *testing.T) {
	c := parse(t, "[rabbit]", "password = 's3cret-a'", "[bus]", "password = 's3cret-b'", "url = 'nats://u:s3cret-c@h,nats://s3cret-d@g'")
	next := parse(t, "[bus]", "password = 's3cret-e'")
	var out bytes.Buffer
	for _, format := range []string{"table", "json"} {
		if err := c.Explain(&out, format); err != nil {
			t.Fatal(err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+verb, *c, c.Bus.Password, c.Bus.URL, c.Rabbit)
	}
	fmt.Fprintln(&out, c.Warnings(), Diff(c, next), Diff(next, c))
	slog.New(slog.NewJSONHandler(&out, nil)).Info("configuration", "bus", c.Bus, "password", c.Bus.Password, "url", c.Bus.URL)
	slog.New(slog.NewTextHandler(&out, nil)).Info("configuration", "bus", c.Bus, "rabbit", c.Rabbit, "password", c.Bus.Password)
	if err := json.NewEncoder(&out).Encode(c); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"[bus]\nurl = 'nats://u:s3cret-f@h:port'", "[bus]\nurl = 'ftp://u:s3cret-f@h'", "[bus]\nurl = 'nats://u:s3cret-f@'",
		"[bus]\npassword = \"s3cret-g", "[bus]\npassword = \"s3cret-h\\n\"", "[rabbit]\npassword = ['s3cret-i']",
	} {
		if _, err := Parse("m.toml", []byte(line)); err == nil {
			t.Errorf("%s: no error", line)
		} else {
			fmt.Fprintln(&out, err)
		}
	}
	fmt.Fprintln(&out, Default().SetFlag("--url", "bus.url", "nats://u:s3cret-j@h:x"))
	fmt.Fprintln(&out, Default().ApplyEnv([]string{"MUSTER_BUS_PASSWORD=s3cret-k\n"}))
	if i := strings.Index(out.String(), "s3cret"); i >= 0 {
		t.Errorf("a secret is printed: %s", out.String()[max(0, i-200):i+10])
	}
	// Bytes as numbers would hide from the search above.
	if strings.Contains(out.String(), "733363726574") {
		t.Error("a secret is printed in hexadecimal")
	}
}

func TestExplainTable(t *testing.T) {
	c := parse(t, "[bus]", "password = 'x'", "[manager]", "electTimeout = 5")
	var out bytes.Buffer
	if err := c.Explain(&out, "table"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for _, want := range [][]string{
		{"KEY", "VALUE", "FROM"}, {"manager.name", "owt-cluster", "default"}, {"bus.password", "(hidden)", "m.toml:2:1"},
		{"manager.electTimeout", "5ms", "m.toml:4:1"}, {"bus.url", "-", "default"}, {"strategy.video", "least-used", "default"},
		{"message", "queue:", "embedded", "NATS,", "nats://127.0.0.1:4222"},
	} {
		if !slices.ContainsFunc(lines, func(line string) bool { return slices.Equal(strings.Fields(line), want) }) {
			t.Errorf("no line %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "totalNode") {
		t.Error("the list has a key without effect that was not set")
	}
	if err := c.Explain(&out, "yaml"); err == nil || err.Error() != `unknown format "yaml": use table or json` {
		t.Error("format yaml:", err)
	}
}

func TestExplainJSON(t *testing.T) {
	c := parse(t, "[manager]", "check_alive_count = 3")
	var out bytes.Buffer
	if err := c.Explain(&out, "json"); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Bus      struct{ Kind, URL string }
		Settings []map[string]any
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"key": "manager.check_alive_count", "value": 3.0, "origin": "m.toml:2:1",
		"source": "file", "file": "m.toml", "line": 2.0, "column": 1.0,
	}
	if !slices.ContainsFunc(got.Settings, func(s map[string]any) bool { return cmp.Equal(s, want) }) {
		t.Errorf("no %v in %s", want, out.String())
	}
	if got.Bus.Kind != "embedded NATS" || got.Bus.URL != "nats://127.0.0.1:4222" {
		t.Errorf("bus: %+v", got.Bus)
	}
}
