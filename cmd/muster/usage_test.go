package main

import (
	"net"
	"strings"
	"testing"

	"github.com/muster-fleet/muster"
)

func TestUsageErrors(t *testing.T) {
	for line, want := range map[string]string{
		"nosuch":                     `unknown command "nosuch"`,
		"schdule":                    "did you mean schedule?",
		"--nosuch":                   "unknown flag",
		"workers -z":                 "unknown shorthand flag",
		"workers a b":                "workers takes [PURPOSE], got 2",
		"workers -o xml":             "must be table or json",
		"workers --timeout soon":     "invalid argument",
		"workers --timeout 0s":       "--timeout must be positive",
		"workers --url http://x":     "--url",
		"schedule webrtc":            "schedule takes PURPOSE TASK..., got 1",
		"why webrtc":                 "why takes PURPOSE TASK, got 1",
		"unschedule webrtc":          "unschedule takes PURPOSE TASK, got 1",
		"version now":                "version takes no arguments",
		"worker":                     "--purpose is missing",
		"up --workers -1":            "--workers must not be negative",
		"portal --bitrate guest=100": "--bitrate takes ROLE=KBPS",
		"up --load steam":            `unknown load "steam"`,
		"up --max-load 2":            "--max-load must be above 0 and at most 1",
		"up --listen nonsense":       "--listen",
		"up surplus":                 "up takes no arguments",
		"manager surplus":            "manager takes no arguments",
		"manager --log-level loud":   "invalid argument",
		"manager --log-format xml":   "must be text or json",
		"bench nosuch":               `unknown command "nosuch"`,
		"drain":                      "drain needs the ID of a worker, or --purpose",
		"drain a --policy end":       "--policy end needs a --deadline",
		"drain a --policy kill":      "unknown policy",
		"drain a --deadline -1s":     "--deadline must be",
		"drains x":                   "must be a whole number",
		"drains --follow":            "--follow needs the NUMBER",
		"undrain a --drain 3":        "--drain names all of it",
		"cordon --label gpu":         "must be formatted as key=value",
		"strategy a best":            "unknown strategy",
		"strategy --reset":           "--reset takes a PURPOSE",
		"strategy a --debit off":     "--debit is for all purposes",
		"top -o json":                "top needs a terminal",

		"schedule a b --reserve -1s":                                "--reserve must not be negative",
		"schedule a b --preference {":                               "--preference is not JSON",
		`schedule a b --isp x --preference "text"`:                  "to be an object",
		`schedule a b --isp x --preference {"isp":"y"}`:             "give one of them",
		`schedule a b --preference {"labels":{"gpu":1}}`:            "preference.labels.gpu must be",
		"worker --purpose all":                                      `must not be "all"`,
		"worker --purpose p --max-load 0":                           "--max-load must be above 0",
		"worker --purpose p --max-tasks -1":                         "--max-tasks must not be negative",
		"worker --purpose p --label gpu":                            "--label must be key=value",
		"worker --purpose p --load processes":                       "processes=10",
		"manager --listen 127.0.0.1:1 --url nats://127.0.0.1:1":     "--listen is for the embedded message queue",
		"manager --url ftp://127.0.0.1":                             "--url",
		"bench place --strategy nosuch --workers 1 --tasks 1":       "unknown strategy",
		"completion --no-descriptions bash --nosuch --even-more-so": "unknown flag",
	} {
		got := refusedWith(t, 2, strings.Fields(line)...)
		contains(t, got.stderr, want, "--help'.")
		if got.stdout != "" {
			t.Errorf("%s: printed %q; want nothing", line, got.stdout)
		}
	}
}

func TestHelp(t *testing.T) {
	contains(t, done(t), "muster up", "Usage:", "Ask and place:")
	for _, verb := range []string{"run", "jobs", "wait", "task", "history", "up", "manager", "worker", "workers", "tasks", "schedule", "unschedule", "why", "config", "version",
		"drain", "drains", "undrain", "cordon", "uncordon", "strategy", "audit", "watch", "top"} {
		contains(t, done(t, verb, "--help"), "Usage:\n  muster "+verb, "Examples:\n")
	}
}

// What a command has of its own comes first in its help.
func TestOwnFlagsComeFirst(t *testing.T) {
	for _, verb := range []string{"drain", "schedule", "workers", "worker", "why"} {
		own, reach, ok := strings.Cut(done(t, verb, "--help"), "Flags to reach the cluster:\n")
		if !ok || !strings.Contains(own, "--output") || strings.Contains(own, "--tls-ca") {
			t.Errorf("%s: flags of its own %s", verb, own)
		}
		contains(t, reach, "--url", "--tls-key")
	}
}

func TestVersion(t *testing.T) {
	contains(t, done(t, "version"), "muster v0.0.0-test (go")
	if got := decoded[map[string]string](t, "version"); got["version"] != "v0.0.0-test" {
		t.Errorf("version: %v", got)
	}
}

// unused is a free address.
func unused(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestNothingAnswers(t *testing.T) {
	for _, scheme := range []string{"nats://", "amqp://"} {
		url := scheme + unused(t)
		for _, line := range []string{"workers", "tasks", "schedule a b", "unschedule a b", "why a b"} {
			got := refusedWith(t, 1, append(strings.Fields(line), "--url", url)...)
			if !strings.HasPrefix(got.stderr, "muster: nothing answers at "+url) || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("%s: %q; want one line that nothing answers at %s", line, got.stderr, url)
			}
		}
	}
}

// An error about an address of a file names the line and the key.
func TestNothingAnswersAtTheAddressOfAFile(t *testing.T) {
	file := writeConfig(t, "[bus]\nurl = \"nats://"+unused(t)+"\"\n")
	contains(t, refusedWith(t, 1, "workers", "-c", file).stderr, "the address is from: "+file+":2:1 bus.url")
}

// silent is the address of a server that takes connections and says nothing.
func silent(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestSilentServer(t *testing.T) {
	for _, scheme := range []string{"nats://", "amqp://"} {
		got := refusedWith(t, 1, "workers", "--timeout", "300ms", "--url", scheme+silent(t))
		contains(t, got.stderr, "nothing answers at "+scheme)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	got := refusedWith(t, 1, "workers", "--url", "nats://me:topsecret@"+unused(t))
	if strings.Contains(got.stderr, "topsecret") {
		t.Errorf("the password is shown: %s", got.stderr)
	}
}

func TestConfig(t *testing.T) {
	file := writeConfig(t, "[manager]\nname = \"east\"\n[bus]\npassword = \"topsecret\"\nuser = \"me\"\n")
	out := done(t, "config", "-c", file)
	contains(t, out, "manager.name", "east", file+":2")
	if strings.Contains(out, "topsecret") {
		t.Errorf("the password is shown: %s", out)
	}
	contains(t, done(t, "config", "-c", file, "-o", "json"), `"key": "manager.name"`)
	contains(t, done(t, "config", "--reference"), "check_alive_interval", "MUSTER_BUS_URL")

	wrong := writeConfig(t, "[strategy]\nvideo = \"least-usd\"\n")
	contains(t, refusedWith(t, 1, "config", "-c", wrong).stderr, wrong+":2", "strategy.video", "least-used")
	contains(t, refusedWith(t, 1, "manager", "-c", "/nosuch.toml").stderr, "/nosuch.toml")
}

// TestVerbsHaveTheirNames: the table of verbs finds a command without making it.
func TestVerbsHaveTheirNames(t *testing.T) {
	for _, v := range verbs {
		if name := v.make().Name(); name != v.name {
			t.Errorf("%s is listed as %s", name, v.name)
		}
	}
}

// `muster why` says in words whom each rule excludes.
func TestEveryRuleHasWords(t *testing.T) {
	for rule, words := range ruleWords {
		if words == "" {
			t.Errorf("rule %v has no words: see ruleWords", muster.Rule(rule))
		}
	}
}
