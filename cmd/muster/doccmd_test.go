package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-fleet/muster/internal/doccmd"
	"github.com/muster-fleet/muster/internal/httpapi"
)

// parse holds a command line to the parser of muster, and runs nothing.
func parse(argv []string) error {
	root, _ := newRootCmd(argv)
	cmd, rest, err := root.Find(argv)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil && !errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if cmd == root && cmd.Flags().NArg() > 0 {
		return fmt.Errorf("no such verb")
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

// otherPrograms are commands on pages that are not held to a program here, and why.
var otherPrograms = map[string]string{
	"musterbench": "its own test: main.TestDocumentedCommands in cmd/musterbench",
	"rabbitmqctl": "amqpbus.TestPermissions runs the lines of docs/queue-users.md",
	"systemctl":   "the units are held by package deploy; there is no systemd to ask in a test",
	"kubectl":     "the manifests are held by package deploy; there is no cluster to ask in a test",
	"docker":      "builds and runs an image",
	"daemon.sh":   "of OWT",
	"export":      "of the shell", "cd": "of the shell", "set": "of the shell", "test": "of the shell", "exit": "of the shell", "echo": "of the shell",
	"sh": "of the system", "wc": "of the system", "tail": "of the system", "jq": "of the system", "kill": "of the system", "pidof": "of the system",
	"tar": "of the system", "cp": "of the system", "install": "of the system", "sudo": "of the system", "apt": "of the system", "openssl": "of the system",
	"sha256sum": "of the system", "rm": "of the system", "mkdir": "of the system", "git": "of the system", "dpkg": "of the system",
}

// TestDocumentedCommands: each command in a block of shell on a page has a verb,
// flags, a target or a path that exists. Those of operators are run: see
// TestPagesOfOperatorsRun.
func TestDocumentedCommands(t *testing.T) {
	all, musters := doccmd.All(t), 0
	root := doccmd.Root(t)
	api := describedAPI(t)
	for _, c := range all {
		if c.Name() == "muster" {
			musters++
		}
		if err := held(c, root, api); err != nil {
			t.Errorf("%s: %s\n%v", c.Page, c.Line, err)
		}
	}
	if musters < 30 {
		t.Errorf("found %d commands of muster, want at least 30", musters)
	}
}

// held says what is wrong with a command.
func held(c doccmd.Command, root string, api described) error {
	switch name := c.Name(); {
	case name == "muster":
		return parse(c.Argv[1:])
	case name == "make":
		return makes(root, c.Argv[1:])
	case name == "go":
		return goes(root, c.Argv[1:])
	case name == "curl":
		return api.asks(c.Argv[1:])
	case otherPrograms[name] == "":
		return fmt.Errorf("%s is held to nothing: say here how", name)
	}
	return nil
}

// TestDocumentedCommandsFindsFaults plants some.
func TestDocumentedCommandsFindsFaults(t *testing.T) {
	root, api := doccmd.Root(t), describedAPI(t)
	page := "```sh\nmuster drian video-1\nmuster drain video-1 --folow\nmuster why video\nmake nosuch\ngo test ./config -run '^TestNoSuch$'\ncurl -s 'localhost:8080/v1/wrokers?x=1'\n" +
		"curl -s 'localhost:8080/v1/workers?regoin=eu'\n```\n"
	found := 0
	for _, c := range doccmd.Page(t, "page", page) {
		if held(c, root, api) == nil {
			t.Errorf("nothing is found wrong with %s", c.Line)
		}
		found++
	}
	if found != 7 {
		t.Errorf("read %d commands, want 7", found)
	}
}

// makes holds make's targets and variables to the Makefile.
func makes(root string, args []string) error {
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		return err
	}
	for _, arg := range args {
		pattern := `(?m)^` + regexp.QuoteMeta(arg) + `:`
		if name, _, ok := strings.Cut(arg, "="); ok {
			pattern = `\$\((or \$\()?` + regexp.QuoteMeta(name) + `\b`
		}
		if !regexp.MustCompile(pattern).Match(text) {
			return fmt.Errorf("the Makefile has no %s", arg)
		}
	}
	return nil
}

// goes holds packages, and the names of tests, to what is there.
func goes(root string, args []string) error {
	for i, arg := range args {
		path, isPath := strings.CutPrefix(arg, "./")
		if isPath && path != "..." {
			if _, err := os.Stat(filepath.Join(root, strings.TrimSuffix(path, "/..."))); err != nil {
				return err
			}
		}
		if (arg == "-run" || arg == "-bench" || arg == "-fuzz") && i+1 < len(args) {
			if name := regexp.MustCompile(`\w{4,}`).FindString(args[i+1]); name != "" {
				out, err := exec.Command("git", "-C", root, "grep", "-lE", `^func (Test|Benchmark|Fuzz)?`+name, "--", "*_test.go").Output()
				if err != nil || len(out) == 0 {
					return fmt.Errorf("no test is named %s", name)
				}
			}
		}
	}
	return nil
}

// described is the description of the API.
type described struct {
	Paths map[string]map[string]struct {
		Parameters []struct{ Name, In string }
	}
}

func describedAPI(t *testing.T) described {
	raw, err := httpapi.Describe("test")
	var d described
	if err == nil {
		err = json.Unmarshal(raw, &d)
	}
	if err != nil || len(d.Paths) == 0 {
		t.Fatalf("%v: %s", err, raw)
	}
	return d
}

// outsideV1 are paths of the server that are not operations.
var outsideV1 = []string{"/healthz", "/readyz", "/metrics", "/v1/openapi.json"}

// asks holds a call by curl to the description: path, method and parameters.
func (d described) asks(args []string) error {
	method := "get"
	for i, arg := range args {
		switch {
		case arg == "-d" || arg == "--data":
			method = "post"
		case arg == "-X":
			method = strings.ToLower(args[i+1])
		}
	}
	i := slices.IndexFunc(args, func(arg string) bool {
		return strings.Contains(arg, ":8080/")
	})
	if i < 0 {
		return fmt.Errorf("no address in %q", args)
	}
	u, err := url.Parse("http://" + strings.TrimPrefix(strings.TrimPrefix(args[i], "https://"), "http://"))
	if err != nil {
		return err
	}
	if slices.Contains(outsideV1, u.Path) {
		return nil
	}
	for path, operations := range d.Paths {
		pattern := regexp.MustCompile(`\\\{[^}]*\\\}`).ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`)
		operation, ok := operations[method]
		if !ok || !regexp.MustCompile("^"+pattern+"$").MatchString(u.Path) {
			continue
		}
		for name := range u.Query() {
			if !slices.ContainsFunc(operation.Parameters, func(p struct{ Name, In string }) bool { return p.In == "query" && p.Name == name }) {
				return fmt.Errorf("%s has no parameter %s", path, name)
			}
		}
		return nil
	}
	return fmt.Errorf("the API has no %s %s", method, u.Path)
}

// TestEachVerbHasAnExample: also what is below a verb; and the examples are right.
func TestEachVerbHasAnExample(t *testing.T) {
	root, _ := newRootCmd(nil)
	doccmd.Help(t, root, func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		for _, c := range doccmd.Page(t, path, "```sh\n"+cmd.Example+"\n```\n") {
			if c.Name() != "muster" {
				continue
			}
			if err := parse(c.Argv[1:]); err != nil {
				t.Errorf("%s: %s: %v", path, c.Line, err)
			}
		}
		if cmd.Flags().Lookup("tls-ca") == nil {
			return
		}
		// What a command has of its own comes before what all have.
		own, reach, _ := strings.Cut(cmd.UsageString(), "Flags to reach the cluster:\n")
		if strings.Contains(own, "--tls-ca") || !strings.Contains(reach, "--tls-ca") {
			t.Errorf("%s: its flags are not grouped:\n%s", path, cmd.UsageString())
		}
	})
}

// endless are commands that go on until they are interrupted, or need a terminal or
// another program; TestDocumentedCommands holds what they ask for.
var endless = []string{"muster top", "muster watch", "muster web", "curl -sN", "muster audit -o json --after"}

// TestPagesOfOperatorsRun runs the commands of the pages that an operator follows, in
// their order, by a shell, on a cluster that has what the pages speak of.
func TestPagesOfOperatorsRun(t *testing.T) {
	m := begin(t, "manager", "-c", writeConfig(t, placeAtOnce), "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
	queue := m.await(`msg="manager takes requests".* url=(\S+)`)[1]
	page := m.await(`msg="serving page and API".* url=http://(\S+)`)[1]
	beginWorker(t, queue, "video-1", "--purpose", "video", "--label", "gpu=a100")
	beginWorker(t, queue, "video-2", "--purpose", "video", "--label", "rack=7")
	beginWorker(t, queue, "video-3", "--purpose", "video")
	free(t, queue, "video-1", "video-2", "video-3")
	done(t, "schedule", "video", "mix-7", "--reserve", "1ms", "--url", queue)
	env := append(os.Environ(), "MUSTER_BUS_URL="+queue, "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	ran := 0
	for _, name := range []string{"docs/operating.md", "docs/http.md"} {
		text, err := os.ReadFile(filepath.Join(doccmd.Root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
			for line := range strings.Lines(block[1]) {
				line = strings.TrimSpace(line)
				if line == "" || slices.ContainsFunc(endless, func(start string) bool { return strings.HasPrefix(line, start) }) {
					continue
				}
				here := strings.NewReplacer("localhost:8080", page, "curl -s", "curl -sS --fail-with-body").Replace(line)
				cmd := exec.Command("sh", "-ec", here)
				cmd.Dir, cmd.Env = t.TempDir(), env
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s: %s\n%v: %s", name, line, err, out)
				}
				ran++
			}
		}
	}
	if ran < 15 {
		t.Errorf("ran %d commands, want at least 15", ran)
	}
}
