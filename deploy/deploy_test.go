// Package deploy has no code: this test holds the files for systemd, Prometheus,
// Grafana and Kubernetes to the program.
package deploy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
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

// TestRelease packs a release of a program that is no real one: archives, packages and
// images for all machines, that their checksums fit.
func TestRelease(t *testing.T) {
	dir := t.TempDir()
	out, compiler := filepath.Join(dir, "dist"), filepath.Join(dir, "go")
	script := "#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\nmkdir -p \"$2\"\nfor p in muster musterbench; do echo $p $GOOS $GOARCH >\"$2/$p\"; chmod 755 \"$2/$p\"; done\n"
	if err := os.WriteFile(compiler, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GO", compiler)
	t.Setenv("DIST", out)
	runIn(t, "..", "scripts/dist", "1.2.3")
	runIn(t, out, "sha256sum", "--check", "SHA256SUMS")
	for _, name := range []string{"muster-image-1.2.3-linux-amd64.tar", "muster_1.2.3_arm64.deb"} {
		if sums := runIn(t, out, "cat", "SHA256SUMS"); !strings.Contains(sums, name) {
			t.Errorf("no checksum of %s: %s", name, sums)
		}
	}
	for _, system := range []string{"linux", "darwin"} {
		for _, arch := range []string{"amd64", "arm64"} {
			name := "muster-1.2.3-" + system + "-" + arch
			list := runIn(t, out, "tar", "-tzf", name+".tar.gz")
			if !strings.Contains(list, name+"/docs/deploy.md\n") || strings.Contains(list, "_test.go") {
				t.Errorf("%s has %s", name, list)
			}
			if got := runIn(t, out, "tar", "-xzOf", name+".tar.gz", name+"/muster"); got != "muster "+system+" "+arch+"\n" {
				t.Errorf("%s has the program %q", name, got)
			}
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		deb := "muster_1.2.3_" + arch + ".deb"
		if got := runIn(t, out, "dpkg-deb", "-f", deb, "Version", "Architecture"); got != "Version: 1.2.3\nArchitecture: "+arch+"\n" {
			t.Errorf("%s: %s", deb, got)
		}
		files := runIn(t, out, "dpkg-deb", "-c", deb)
		for _, want := range []string{"-rwxr-xr-x root/root", "./usr/bin/muster\n", "./lib/systemd/system/muster-manager.service\n", "./lib/systemd/system/muster-agent@.service\n"} {
			if !strings.Contains(files, want) {
				t.Errorf("%s lacks %q: %s", deb, want, files)
			}
		}
		checkImage(t, filepath.Join(out, "muster-image-1.2.3-linux-"+arch+".tar"), arch)
	}
}

// checkImage follows the digests of an image from its index to its layer.
func checkImage(t *testing.T, path, arch string) {
	dir := t.TempDir()
	runIn(t, dir, "tar", "-xf", path)
	type descriptor struct {
		Digest string
		Size   int
	}
	file := func(d descriptor) string {
		text, err := os.ReadFile(filepath.Join(dir, "blobs", strings.ReplaceAll(d.Digest, ":", "/")))
		if err != nil || len(text) != d.Size || fmt.Sprintf("sha256:%x", sha256.Sum256(text)) != d.Digest {
			t.Fatalf("%s: %d bytes are not %+v: %v", path, len(text), d, err)
		}
		return string(text)
	}
	read := func(text string, v any) {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatalf("%s: %v in %s", path, err, text)
		}
	}
	var index struct{ Manifests []descriptor }
	read(runIn(t, dir, "cat", "index.json"), &index)
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	read(file(index.Manifests[0]), &manifest)
	var image struct {
		Architecture string
		Config       struct{ User string }
		RootFS       struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	read(file(manifest.Config), &image)
	if image.Architecture != arch || image.Config.User != "10001:10001" {
		t.Errorf("%s: %+v", path, image)
	}
	layer, err := gzip.NewReader(strings.NewReader(file(manifest.Layers[0])))
	if err != nil {
		t.Fatal(err)
	}
	hash, owners := sha256.New(), map[string]int{}
	files := tar.NewReader(io.TeeReader(layer, hash))
	for {
		h, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		owners[h.Name] = h.Uid
	}
	if _, err := io.Copy(hash, layer); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("sha256:%x", hash.Sum(nil)); got != image.RootFS.DiffIDs[0] {
		t.Errorf("%s: the layer is %s, not %s", path, got, image.RootFS.DiffIDs[0])
	}
	if uid, there := owners["usr/bin/muster"]; !there || uid != 0 || owners["var/lib/muster/"] != 10001 {
		t.Errorf("%s: owners %v", path, owners)
	}
	var saved []struct {
		Config   string
		RepoTags []string
	}
	read(runIn(t, dir, "cat", "manifest.json"), &saved)
	if saved[0].RepoTags[0] != "muster:1.2.3" || saved[0].Config != "blobs/"+strings.ReplaceAll(manifest.Config.Digest, ":", "/") {
		t.Errorf("%s: for docker load %+v", path, saved)
	}
}

// TestOtherSystems compiles the program for macOS.
func TestOtherSystems(t *testing.T) {
	t.Setenv("GOOS", "darwin")
	t.Setenv("GOARCH", "arm64")
	t.Setenv("CGO_ENABLED", "0")
	runIn(t, "..", "go", "build", "-buildvcs=false", "-o", os.DevNull, "./cmd/muster")
}

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
