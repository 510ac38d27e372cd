package systemtest

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/muster-fleet/muster/internal/systemtest/cluster"
)

// Each manager in turn gives way to one at an unknown address, as an
// operator does it. In the end nothing is left of those that began.
func TestManagersMoveToOtherAddresses(t *testing.T) {
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{})
		for _, old := range append([]*cluster.Manager(nil), r.Managers()...) {
			m, err := r.Add()
			r.must(err)
			r.operator("add", m.Addr)
			r.healed()
			r.operator("remove", old.Addr)
			r.Forget(old)
			r.healed()
		}
		r.verify()
	})
}

// operator changes who the managers are.
func (r *rig) operator(verb, addr string) {
	r.Helper()
	cmd := exec.CommandContext(r.ctx, program, "managers", verb, addr, "--url", r.url, "--cluster", r.name)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Fatalf("muster managers %s %s: %v\n%s", verb, addr, err, out)
	}
}

// Managers of two versions work together while one replaces the other.
func TestManagersAreUpgradedInTurn(t *testing.T) {
	next := filepath.Join(t.TempDir(), "muster")
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-X main.version=next", "-o", next, "../../cmd/muster")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	onQueues(t, func(t *testing.T, q queue) {
		r := startRig(t, q, setup{})
		r.Upgrade(next)
		for _, m := range r.Managers() {
			r.must(r.End(m))
			r.must(r.Launch(m))
			r.healed()
		}
		if s, err := r.client.Status(r.ctx); err != nil || s.Version != "next" {
			t.Errorf("after the upgrade version %q answers: %v", s.Version, err)
		}
		r.verify()
	})
}
