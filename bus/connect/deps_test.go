package connect_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestSDKLinksNoServer: a program that only connects to a queue does not link
// the NATS server, which is 276 packages.
func TestSDKLinksNoServer(t *testing.T) {
	const module = "github.com/muster-fleet/muster/"
	args := []string{"list", "-deps"}
	for _, pkg := range []string{"worker", "client", "node", "job", "agent", "bus/connect"} {
		args = append(args, module+pkg)
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.SplitSeq(string(out), "\n") {
		if strings.Contains(dep, "nats-server") || strings.HasSuffix(dep, "/natsserver") {
			t.Errorf("the SDK depends on %s", dep)
		}
	}
}
