package media_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/natsbus"
	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/media"
	"github.com/muster-fleet/muster/node"
)

// A node that transcodes, and a caller that starts a task on it and follows it.
// The node is in this process; an agent starts each in one of its own, with
// node.Main.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "media")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	tool, err := media.Find(ctx)
	if err != nil {
		log.Fatal(err)
	}
	film(ctx, tool, filepath.Join(dir, "film.mp4"))

	work, err := media.New(media.Transcode, tool, media.Options{Root: dir})
	if err != nil {
		log.Fatal(err)
	}
	conn, end := serve(ctx, work)
	defer end()

	// A wrong spec is refused, by the name of the field.
	caller := client.New(conn, client.Options{})
	order := muster.TaskOrder{Task: "t-1", Spec: json.RawMessage(`{"input": "film.mp4", "output": "out", "ladder": [{"hieght": 60}]}`)}
	fmt.Println(caller.StartTask(ctx, "agent_1", order))

	order.Spec = json.RawMessage(`{"input": "film.mp4", "output": "out", "ladder": [{"height": 120}, {"height": 60}]}`)
	fmt.Println(caller.StartTask(ctx, "agent_1", order))
	report := follow(ctx, caller, "t-1")
	fmt.Println(report.State)
	for _, name := range []string{"film-120p.mp4", "film-60p.mp4"} {
		p, err := tool.Probe(ctx, filepath.Join(dir, "out", name))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, p.Video().Codec, p.Video().Width, p.Video().Height)
	}

	// Output:
	// client: start of agent_1: spec: ladder[0].hieght is unknown: did you mean height?
	// <nil>
	// done
	// film-120p.mp4 h264 160 120
	// film-60p.mp4 h264 80 60
}

// film makes a second of a film.
func film(ctx context.Context, tool *media.Tool, path string) {
	cmd := exec.CommandContext(ctx, tool.FFmpeg, "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:duration=1", "-c:v", "libx264", path)
	if out, err := cmd.CombinedOutput(); err != nil {
		log.Fatalf("%v: %s", err, out)
	}
}

// serve runs a node on a queue of its own.
func serve(ctx context.Context, work node.Work) (bus.Conn, func()) {
	broker, err := natsserver.Start(natsserver.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := natsbus.DialInProcess(ctx, broker, bus.Options{Name: "example"})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- node.Serve(ctx, conn, work, node.Options{ID: "agent_1", Agent: "agent", Purpose: "transcoding"}, func() { close(ready) })
	}()
	<-ready
	return conn, func() {
		stop()
		if err := <-ended; err != nil {
			log.Print(err)
		}
		_ = conn.Close()
		_ = broker.Close()
	}
}

// follow asks for reports until the task has ended.
func follow(ctx context.Context, caller *client.Client, task string) muster.TaskReport {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := caller.TaskStats(ctx, "agent_1", task)
		if err != nil {
			log.Fatal(err)
		}
		if r.State != muster.TaskRunning {
			return r
		}
		<-tick.C
	}
}
