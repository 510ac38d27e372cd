package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// Names on the command line and on standard input are placed together; what is
// refused is named, and the others are placed.
func TestScheduleSeveralTasks(t *testing.T) {
	_, url := beginManager(t, "--listen", "127.0.0.1:0", "--initial-time", "0s")
	begin(t, "worker", "--purpose", "video", "--id", "video-1", "--max-tasks", "3", "--load", "memory", "--url", url)
	eventually(t, "the worker takes no task", func() bool { return invoke(t, "schedule", "video", "a", "--url", url).status == 0 })

	cmd := command("schedule", "video", "a", "-", "d", "e", "--url", url, "-o", "json")
	cmd.Stdin = strings.NewReader("b\n\n  c \n")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err == nil {
		t.Error("two tasks have no place, and the exit status is 0")
	}
	contains(t, stderr.String(), "2 of 5 tasks were not placed", "d: Failed in scheduling video worker", "e: ")
	var got struct {
		Tasks []struct{ Task, Worker, Error string }
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, stdout.String())
	}
	for i, task := range []string{"a", "b", "c", "d", "e"} {
		if i >= len(got.Tasks) || got.Tasks[i].Task != task || (got.Tasks[i].Worker == "video-1") != (i < 3) || (got.Tasks[i].Error != "") != (i >= 3) {
			t.Fatalf("task %s: %s", task, stdout.String())
		}
	}
	contains(t, done(t, "schedule", "video", "a", "c", "--url", url), "video a is on video-1", "video c is on video-1")
	contains(t, refusedWith(t, 2, "schedule", "video", "-", "--url", url).stderr, "no names of tasks on standard input")
}
