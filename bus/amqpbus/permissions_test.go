package amqpbus_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/bus/amqpbus"
)

// rabbitmqctlLines are those of the manual, without their first word.
func rabbitmqctlLines(t *testing.T) [][]string {
	t.Helper()
	manual, err := os.ReadFile("../../docs/queue-users.md")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	word := regexp.MustCompile(`'[^']*'|\S+`)
	for line := range strings.Lines(string(manual)) {
		if rest, ok := strings.CutPrefix(line, "rabbitmqctl "); ok {
			var args []string
			for _, arg := range word.FindAllString(rest, -1) {
				args = append(args, strings.Trim(arg, "'"))
			}
			out = append(out, args)
		}
	}
	if len(out) < 7 {
		t.Fatalf("the manual has %d lines of rabbitmqctl", len(out))
	}
	return out
}

// The permissions of docs/queue-users.md let each user do what it needs, and keep it
// from being asked as somebody else.
func TestPermissions(t *testing.T) {
	b := shared.Broker(t)
	for _, args := range rabbitmqctlLines(t) {
		ctl(t, b, args...)
	}
	as := func(user, password string) *amqpbus.Conn {
		t.Helper()
		conn, err := amqpbus.Dial(within(t), bus.Options{URL: "amqp://" + b.Addr() + "/", User: user, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	manager, worker, caller := as("manager", "PASSWORD-1"), as("video-1", "PASSWORD-2"), as("ann", "PASSWORD-3")
	echoes := func(r *bus.Request) { echo(r) }
	member, err := manager.JoinGroup(within(t), "owt-cluster", echoes)
	if err == nil {
		err = member.Lead(within(t), 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"video-1", "video-1_0"} {
		if _, err := worker.Serve(within(t), name, echoes); err != nil {
			t.Errorf("a worker serves %s: %v", name, err)
		}
	}
	wantEcho(t, worker, "owt-cluster", "x")
	wantEcho(t, caller, "owt-cluster", "x")
	wantEcho(t, caller, "video-1", "x")
	wantEcho(t, caller, "video-1_0", "x")
	wantEcho(t, manager, "video-1", "x")

	heard := make(chan string, 16)
	if _, err := caller.Subscribe(within(t), bus.TopicMonitoring, "exit.#", func(key string, _ json.RawMessage) { heard <- key }); err != nil {
		t.Fatal(err)
	}
	// What is refused closes a channel, so that each has a connection of its own.
	for name, try := range map[string]func() error{
		"a worker serves the managers' name": func() error {
			_, err := as("video-1", "PASSWORD-2").Serve(within(t), "owt-cluster", echoes)
			return err
		},
		"a worker serves another's name": func() error {
			_, err := as("video-1", "PASSWORD-2").Serve(within(t), "video-2", echoes)
			return err
		},
		"a caller serves a worker's name": func() error {
			_, err := as("ann", "PASSWORD-3").Serve(within(t), "video-1", echoes)
			return err
		},
		"a caller serves": func() error {
			_, err := as("ann", "PASSWORD-3").Serve(within(t), "ann", echoes)
			return err
		},
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), "ACCESS_REFUSED") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Notices are not confirmed. One that is let through is on its way when the same
	// connection has its answer, and is heard before the end.
	for user, it := range map[string]struct{ password, key string }{"video-1": {"PASSWORD-2", "exit.quit"}, "ann": {"PASSWORD-3", "exit.refused"}} {
		conn := as(user, it.password)
		_ = conn.Publish(within(t), bus.TopicMonitoring, it.key, true)
		wantEcho(t, conn, "owt-cluster", "x")
	}
	for key, conn := range map[string]*amqpbus.Conn{"exit.abnormal": worker, "exit.end": manager} {
		if err := conn.Publish(within(t), bus.TopicMonitoring, key, true); err != nil {
			t.Fatal(err)
		}
	}
	wanted := map[string]bool{"exit.abnormal": true, "exit.end": true}
	for len(wanted) > 0 {
		select {
		case key := <-heard:
			if !wanted[key] {
				t.Errorf("%s is heard", key)
			}
			delete(wanted, key)
		case <-time.After(30 * time.Second):
			t.Fatalf("not heard: %v", wanted)
		}
	}
}
