//go:build unix

package process_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/muster-fleet/muster/agent/process"
)

// host opens a host in a directory that the example throws away. An agent's
// own stays, so that the next one finds what was left running.
func host(opts process.Options) (h *process.Host, end func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	opts.Dir, opts.Agent = dir, "example"
	if h, err = process.Open(opts); err != nil {
		log.Fatal(err)
	}
	return h, func() { _ = h.Close(); _ = os.RemoveAll(dir) }
}

// A program for one task finds what it is about in its arguments and in its
// environment. Its output stays readable when it has ended.
func ExampleHost_Program() {
	h, end := host(process.Options{})
	defer end()
	launcher := h.Program(process.Command{
		Argv: []string{"sh", "-c", `echo "task $1 wants $MUSTER_SPEC"`, "sh", "{task}"},
	})
	fmt.Println("a node for every task:", launcher.PerTask())

	node, err := launcher.Launch(context.Background(), process.Spec{
		ID: "video_1", Task: "intro", Input: json.RawMessage(`{"height": 720}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	<-node.Done()
	output, err := h.ReadLog("video_1", 0, 0)
	fmt.Printf("%s%v %v\n", output.Data, output.Ended, err)
	// Output:
	// a node for every task: true
	// task intro wants {"height": 720}
	// true <nil>
}

// How a node ended is an error that says what went wrong, with its last words.
func ExampleNode() {
	h, end := host(process.Options{})
	defer end()
	crash := h.Program(process.Command{Argv: []string{"sh", "-c", "echo no such codec >&2; exit 2"}})
	node, err := crash.Launch(context.Background(), process.Spec{ID: "video_1"})
	if err != nil {
		log.Fatal(err)
	}
	<-node.Done()
	fmt.Println(node.Err())

	// One that was stopped has not failed, however it took that.
	deaf := h.Program(process.Command{Argv: []string{"sh", "-c", "trap '' TERM; sleep 60; sleep 60"}})
	if node, err = deaf.Launch(context.Background(), process.Spec{ID: "video_2"}); err != nil {
		log.Fatal(err)
	}
	node.Stop(100 * time.Millisecond)
	<-node.Done()
	fmt.Println(node.Err())
	// Output:
	// process: node video_1: exit status 2; its last output: no such codec
	// <nil>
}

// A node of OWT says READY on Node's channel between processes. This one is a
// script of a few lines in the place of OWT's workingNode.
func ExampleHost_OWT() {
	h, end := host(process.Options{})
	defer end()
	script, err := filepath.Abs("testdata/workingNode.js")
	if err != nil {
		log.Fatal(err)
	}
	nodes := h.OWT(process.OWTCommand{
		Script: script,
		Dir:    "testdata",
		Config: json.RawMessage(`{"purpose": "video", "does": "works", "beat": 1000}`),
	})
	node, err := nodes.Launch(context.Background(), process.Spec{ID: "video-7f@host_0", Agent: "video-7f@host"})
	if err != nil {
		log.Fatal(err)
	}
	<-node.Ready()
	fmt.Println("ready")
	node.Stop(10 * time.Second)
	<-node.Done()
	fmt.Println("ended:", node.Err())
	// Output:
	// ready
	// ended: <nil>
}
