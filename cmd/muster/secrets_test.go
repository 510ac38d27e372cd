package main

import (
	"strings"
	"syscall"
	"testing"

	systemcluster "github.com/muster-fleet/muster/internal/systemtest/cluster"
)

// No program logs a secret, on its most talkative level, of its own or of those
// that it refuses.
func TestNoSecretIsLogged(t *testing.T) {
	const (
		busPassword   = "hG2rTz8wQe"
		routePassword = "pL5nXc1vBm"
		raftSecret    = "yU9kJd4fSa-and-more-of-it"
		wrongPassword = "oI7gWq3zEr"
		wrongSecret   = "mK6bVx0cNt-and-more-of-it"
	)
	var addrs [4]string
	for i := range addrs {
		var err error
		if addrs[i], err = systemcluster.FreeAddr(); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"MUSTER_BUS_USER=me", "MUSTER_BUS_PASSWORD=" + busPassword, "MUSTER_BUS_CLUSTER_PASSWORD=" + routePassword, "MUSTER_RAFT_SECRET=" + raftSecret}
	file := writeConfig(t, placeAtOnce+"[bus.cluster]\nlisten = \""+addrs[1]+"\"\nroutes = \"127.0.0.1:1\"\n")
	talkative := []string{"--log-level", "debug"}
	with := func(args ...string) []string { return append(args, talkative...) }

	manager := beginWith(t, env, with("manager", "-c", file, "--listen", addrs[0], "--raft", addrs[2], "--peers", addrs[2])...)
	url := manager.await(`msg="manager takes requests".* url=(\S+)`)[1]
	stranger := beginWith(t, []string{"MUSTER_BUS_USER=me", "MUSTER_BUS_PASSWORD=" + busPassword, "MUSTER_RAFT_SECRET=" + wrongSecret},
		with("manager", "--url", "nats://"+addrs[0], "--raft", addrs[3], "--peers", addrs[2]+","+addrs[3])...)
	withURL := strings.Replace(url, "nats://", "nats://me:"+busPassword+"@", 1)
	worker := begin(t, with("worker", "--purpose", "video", "--load", "memory", "--url", withURL)...)
	agent := beginWith(t, env, with("agent", "--purpose", "audio", "--load", "memory", "--url", "nats://"+addrs[0], "--dir", t.TempDir(), "--", "sleep", "1000")...)
	refused := begin(t, with("worker", "--purpose", "video", "--load", "memory", "--url", strings.Replace(url, "nats://", "nats://me:"+wrongPassword+"@", 1))...)
	all := []*started{manager, stranger, worker, agent, refused}

	worker.await(`msg=joined`)
	agent.await(`msg=joined`)
	manager.await(`msg="(connection refused|manager not trusted)"`)
	if status := refused.ends(patience); status != 1 {
		t.Errorf("a worker with a wrong password ended with status %d", status)
	}
	for _, p := range []*started{worker, agent, stranger, manager} {
		p.signal(syscall.SIGTERM)
		p.ends(patience)
	}
	for _, p := range all {
		text := p.out.String()
		for _, secret := range []string{busPassword, routePassword, raftSecret, wrongPassword, wrongSecret} {
			if strings.Contains(text, secret) {
				t.Errorf("muster %v prints %s", p.cmd.Args[1:3], secret)
			}
		}
	}
	contains(t, manager.out.String(), "level=DEBUG", "authentication error")
	contains(t, stranger.out.String(), "level=DEBUG", "has another secret")
	contains(t, refused.out.String(), "user")
}
