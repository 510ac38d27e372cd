// Package deploy has no code: this test holds the files for systemd, Prometheus,
// Grafana and Kubernetes to the program.
package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// metric is the name of a metric of ours, without what a histogram adds.
var metric = regexp.MustCompile(`\bmuster_[a-z_]+?(?:_bucket|_sum|_count)?\b`)

// TestMetricsExist: each metric that an alert or a panel asks for is in
// docs/metrics.md, which a test of cmd/muster holds to what a manager serves.
func TestMetricsExist(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range []string{"prometheus/alerts.yaml", "prometheus/alerts_test.yaml", "grafana/muster.json", "kubernetes/agents.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range metric.FindAllString(string(text), -1) {
			found++
			base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
			if !bytes.Contains(page, []byte("`"+name+"`")) && !bytes.Contains(page, []byte("`"+base+"`")) {
				t.Errorf("%s: no metric %s in docs/metrics.md", file, name)
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d names of metrics found", found)
	}
}

// TestAlerts has Prometheus's own tool check the rules, and when they fire.
func TestAlerts(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		runIn(t, "prometheus", "promtool", args...)
	}
}

// TestDashboard: every panel has a query and a place of its own.
func TestDashboard(t *testing.T) {
	raw, err := os.ReadFile("grafana/muster.json")
	if err != nil {
		t.Fatal(err)
	}
	type position struct{ X, Y, W, H int }
	var board struct {
		Title  string
		Panels []struct {
			Title   string
			Type    string
			GridPos position
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	if len(board.Panels) < 8 {
		t.Fatalf("%d panels", len(board.Panels))
	}
	var rules strings.Builder // the queries, so that promtool reads them
	rules.WriteString("groups:\n- name: panels\n  rules:\n")
	count := 0
	for i, p := range board.Panels {
		if p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q has no title or no query", i, p.Title)
		}
		for _, target := range p.Targets {
			fmt.Fprintf(&rules, "  - {record: panel, expr: %q, labels: {n: \"%d\"}}\n", strings.ReplaceAll(target.Expr, "$__rate_interval", "1m"), count)
			count++
		}
		for _, other := range board.Panels[:i] {
			a, b := p.GridPos, other.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panels %q and %q overlap", p.Title, other.Title)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "panels.yaml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	runIn(t, ".", "promtool", "check", "rules", file)
}

// TestUnits has systemd check the units, with the program where they expect it.
func TestUnits(t *testing.T) {
	units, err := filepath.Glob("systemd/*.service")
	if err != nil || len(units) < 2 {
		t.Fatalf("units %q: %v", units, err)
	}
	dir := t.TempDir()
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		checkFlags(t, unit, execStart.FindStringSubmatch(string(text))[1])
		here := strings.ReplaceAll(string(text), "ExecStart=/usr/bin/muster", "ExecStart="+muster(t))
		name := filepath.Join(dir, strings.Replace(filepath.Base(unit), "@", "@video", 1))
		if err := os.WriteFile(name, []byte(here), 0o644); err != nil {
			t.Fatal(err)
		}
		if out := runIn(t, dir, "systemd-analyze", "verify", "--man=no", name); len(out) > 0 {
			t.Errorf("%s: %s", unit, out)
		}
	}
}

var execStart = regexp.MustCompile(`(?m)^ExecStart=/usr/bin/muster (.*)$`)

// TestManifests: the manifests are YAML, name what they need of each other, and
// their arguments are those of the program.
func TestManifests(t *testing.T) {
	for _, file := range []string{"kubernetes/managers.yaml", "kubernetes/agents.yaml"} {
		commands := 0
		for _, m := range manifests(t, file) {
			if m.Kind == "" || m.Metadata.Name == "" {
				t.Errorf("%s: a manifest without kind or name", file)
			}
			for _, c := range m.Spec.Template.Spec.Containers {
				checkFlags(t, file, strings.Join(c.Args, " "))
				commands++
			}
			if len(m.Spec.Template.Spec.Containers) > 0 && !m.Spec.Template.Spec.SecurityContext["runAsNonRoot"].(bool) {
				t.Errorf("%s: %s may run as root", file, m.Metadata.Name)
			}
		}
		if commands == 0 {
			t.Errorf("%s runs nothing", file)
		}
	}
}

// manifest is what this test looks at of Kubernetes's objects.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Template struct {
			Spec struct {
				SecurityContext map[string]any `yaml:"securityContext"`
				Containers      []struct{ Args []string }
			}
		}
	}
}

func manifests(t *testing.T, file string) (list []manifest) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for d := yaml.NewDecoder(bytes.NewReader(raw)); ; {
		var m manifest
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, m)
	}
}

// checkFlags looks each flag of a command line up in the command's help.
func checkFlags(t *testing.T, file, commandLine string) {
	t.Helper()
	words := strings.Fields(commandLine)
	help := runIn(t, ".", muster(t), words[0], "--help")
	for _, word := range words[1:] {
		if flag, _, _ := strings.Cut(word, "="); strings.HasPrefix(flag, "-") && !strings.Contains(help, flag+" ") && !strings.Contains(help, flag+",") {
			t.Errorf("%s: muster %s has no flag %s", file, words[0], flag)
		}
	}
}

var built string

// muster builds the program once.
func muster(t *testing.T) string {
	t.Helper()
	if built == "" {
		dir, err := os.MkdirTemp("", "muster-deploy-")
		if err != nil {
			t.Fatal(err)
		}
		runIn(t, "..", "go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "muster"), "./cmd/muster")
		built = filepath.Join(dir, "muster")
	}
	return built
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(filepath.Dir(built))
	}
	os.Exit(code)
}

// runIn runs a program, which must succeed, and returns what it printed.
func runIn(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}
