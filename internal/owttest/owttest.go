// Package owttest runs OWT's own conference and portal (server 5.1, unmodified)
// for tests. Their database is FerretDB, which speaks MongoDB's protocol; rooms
// and tokens are written with OWT's own data_access, as its management API does.
package owttest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "embed"

	"github.com/muster-fleet/muster/internal/childproc"
)

// startTime bounds the start of a program.
const startTime = time.Minute

//go:embed db.js
var dbScript string

// Options are where OWT's programs find what they use.
type Options struct {
	// Source is the directory of OWT's sources.
	Source string
	// Queue is host and port of RabbitMQ, Cluster the name of the cluster, whose
	// manager must run.
	Queue, Cluster string
}

// OWT is a conference agent and a portal that run for a test.
type OWT struct {
	// Room is a room without a mixer.
	Room string
	// Portal is host and port of the portal.
	Portal string

	t        *testing.T
	launcher *childproc.Launcher
	dir, env string
}

// tools is where scripts/install-owt puts them.
func tools(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "muster", "owt")
	_, errDB := os.Stat(filepath.Join(dir, "ferretdb"))
	_, errModules := os.Stat(filepath.Join(dir, "node_modules"))
	if errDB != nil || errModules != nil {
		t.Fatalf("%s is not complete: run scripts/install-owt", dir)
	}
	return dir
}

// Start starts a database, a conference agent and a portal, and returns when the
// portal takes clients.
func Start(t *testing.T, opts Options) *OWT {
	t.Helper()
	tools := tools(t)
	o := &OWT{t: t, launcher: childproc.NewLauncher(), dir: t.TempDir(), Portal: freeAddr(t)}
	t.Cleanup(o.launcher.Close)
	database := freeAddr(t)
	o.env = "OWT_DATABASE=" + database + "/owtdb"
	data := filepath.Join(o.dir, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	o.run("database", o.dir, filepath.Join(tools, "ferretdb"), "--listen", database, "--dir", data)
	awaitAddr(t, database)

	host, port, err := net.SplitHostPort(opts.Queue)
	if err != nil {
		t.Fatal(err)
	}
	shared := fmt.Sprintf("[rabbit]\nhost = %q\nport = %s\n[cluster]\nname = %q\nmax_load = 2.0\n[mongo]\ndataBaseURL = %q\n", host, port, opts.Cluster, database+"/owtdb")
	conference := o.layOut(tools, opts.Source, "source/agent/conference")
	o.write(conference, "agent.toml", shared+"[cluster.worker]\nip = \"127.0.0.1\"\n[agent]\nprerunProcesses = 1\n[internal]\nprotocol = \"tcp\"\n")
	_, portalPort, _ := net.SplitHostPort(o.Portal)
	portal := o.layOut(tools, opts.Source, "source/portal")
	o.write(portal, "portal.toml", shared+"[portal]\nip_address = \"127.0.0.1\"\nport = "+portalPort+"\nssl = false\ncors = [\"*\"]\n")
	o.write(portal, "db.js", dbScript)
	o.Room = o.database("init")
	o.run("conference", conference, "node", ".", "-U", "conference")
	o.run("portal", portal, "node", ".")
	awaitAddr(t, o.Portal)
	return o
}

// Token is a token of OWT's for a presenter.
func (o *OWT) Token(user string) string {
	o.t.Helper()
	return o.database("token", o.Room, user, o.Portal)
}

// database runs a command of db.js.
func (o *OWT) database(args ...string) string {
	o.t.Helper()
	c := exec.Command("node", append([]string{"--no-deprecation", "db.js"}, args...)...)
	c.Dir, c.Env = filepath.Join(o.dir, "portal"), append(os.Environ(), o.env)
	var errs strings.Builder
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		o.t.Fatalf("%v: %s%s", err, out, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// run runs a program until the test ends. Its output is shown where the test
// fails.
func (o *OWT) run(name, dir string, argv ...string) {
	o.t.Helper()
	log, err := os.Create(filepath.Join(o.dir, name+".log"))
	if err != nil {
		o.t.Fatal(err)
	}
	c := exec.Command(argv[0], argv[1:]...)
	c.Dir, c.Stdout, c.Stderr = dir, log, log
	if err := o.launcher.Start(c); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM) // OWT's agent ends its nodes then
		late := time.AfterFunc(startTime, func() { _ = c.Process.Kill() })
		_ = c.Wait()
		late.Stop()
		if o.t.Failed() {
			_, _ = log.Seek(0, io.SeekStart)
			text, _ := io.ReadAll(log)
			o.t.Logf("%s said:\n%s", name, text)
		}
		_ = log.Close()
	})
}

// layOut makes a program's directory as OWT's own build does, from its dist.json.
func (o *OWT) layOut(tools, source, program string) (dir string) {
	o.t.Helper()
	base := filepath.Join(source, program)
	text, err := os.ReadFile(filepath.Join(base, "dist.json"))
	if err != nil {
		o.t.Fatal(err)
	}
	var dist struct {
		Dest   string
		Common struct {
			Files   []string
			Folders map[string][]string
		}
	}
	if err := json.Unmarshal(text, &dist); err != nil {
		o.t.Fatal(err)
	}
	dir = filepath.Join(o.dir, dist.Dest)
	o.place(base, dist.Common.Files, dir)
	for folder, files := range dist.Common.Folders {
		o.place(base, files, filepath.Join(dir, folder))
	}
	if err := os.Symlink(filepath.Join(tools, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		o.t.Fatal(err)
	}
	return dir
}

// place copies what is there of the files: certificates are not.
func (o *OWT) place(base string, patterns []string, dir string) {
	o.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		o.t.Fatal(err)
	}
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(base, pattern))
		if err != nil {
			o.t.Fatal(err)
		}
		for _, path := range found {
			to := filepath.Join(dir, filepath.Base(path))
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				err = os.CopyFS(to, os.DirFS(path))
				if err != nil {
					o.t.Fatal(err)
				}
				continue
			}
			text, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(to, text, 0o644)
			}
			if err != nil {
				o.t.Fatal(err)
			}
		}
	}
}

func (o *OWT) write(dir, name, text string) {
	o.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		o.t.Fatal(err)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// awaitAddr waits until a program listens.
func awaitAddr(t *testing.T, addr string) {
	t.Helper()
	for end := time.Now().Add(startTime); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return
		}
	}
	t.Fatalf("nothing listens at %s", addr)
}
