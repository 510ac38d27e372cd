package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/batch"
)

// Each argument and flag that names something is completed from the running cluster, or
// from the batches of this user.
func TestNamesAreCompleted(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	store, err := batch.Home()
	if err != nil {
		t.Fatal(err)
	}
	job, err := store.Create(batch.Record{Purpose: "video"})
	if err != nil {
		t.Fatal(err)
	}
	c := upWithoutWorkers(t)
	_, agent := beginAgent(t, c.url, "video", "--max-load", "1", "--", "sleep", "1000")
	begin(t, "worker", "--purpose", "conference", "--load", "memory", "--max-load", "1", "--region", "eu", "--isp", "telco", "--label", "gpu=a100", "--url", c.url).await("(?m)^conference-")
	for _, line := range []string{"schedule video mix", "schedule conference standup"} {
		args := append(strings.Fields(line), "--reserve", "1h", "--url", c.url)
		eventually(t, "not placed: "+line, func() bool { return invoke(t, args...).status == 0 })
	}
	done(t, "drain", agent, "--force", "--url", c.url)
	words := map[string]string{
		"PURPOSE": "video", "TASK": "mix", "WORKER": agent, "ID": agent, "NODE": agent + "_0", "NUMBER": "1", "ROOM": "standup", "JOB": job.ID, "NAME": "two-choices",
		"MANAGER": decoded[client.Status](t, "status", "--url", c.url).Managers[0].ID,
		"REGION":  "eu", "ISP": "telco", "LABEL": "gpu=a100",
	}
	offered := func(want string, args ...string) {
		t.Helper()
		// The last word is typed in part.
		got := invoke(t, append([]string{"__completeNoDesc"}, append(args, want[:len(want)/2])...)...)
		if !strings.Contains("\n"+got.stdout, "\n"+want+"\n") {
			t.Errorf("%q is not offered for %q: %s%s", want, args, got.stdout, got.stderr)
		}
	}
	root, _ := newRootCmd(nil)
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		path := strings.Fields(cmd.CommandPath())[1:]
		asks := cmd.Flags().Lookup("url") != nil
		if cmd.Hidden || !asks && !strings.Contains(cmd.Use, "JOB") {
			return
		}
		if asks {
			path = append(path, "--url", c.url)
		}
		before := path
		for n := 0; argumentOf(cmd.Use, n) != "" && n < 3; n++ {
			switch kind := argumentOf(cmd.Use, n); {
			case kind == "ADDRESS", kind == "USER", kind == "URL", strings.HasPrefix(kind, "-"), strings.HasPrefix(kind, "FILE"), kind == "CMD", kind == "ARGS":
				return // what is not there yet, is in a room, or is no name
			case words[kind] == "":
				t.Errorf("%s: nothing is known of %s", cmd.CommandPath(), kind)
				return
			default:
				offered(words[kind], before...)
				before = append(before[:len(before):len(before)], words[kind])
			}
		}
		for flag, kind := range flagKinds {
			if cmd.Flags().Lookup(flag) != nil && words[kind] != "" {
				offered(words[kind], append(path[:len(path):len(path)], "--"+flag)...)
			}
		}
	}
	walk(root)
	for line, want := range map[string]string{"workers --state": "draining", "tasks --state": "reserved", "token --role": "viewer", "auth add --role": "operator",
		"status -o": "json", "run -o": "csv", "drain --policy": "hand-back", "manager --replica": "raft", "agent --log-level": "debug"} {
		offered(want, strings.Fields(line)...)
	}
}
