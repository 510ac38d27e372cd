package main

import (
	"testing"

	"github.com/muster-fleet/muster/agent"
)

// A node for each task is possible for every purpose, whatever its default says
// of sharing.
func TestPerTaskForEveryPurpose(t *testing.T) {
	for _, purpose := range []string{"webrtc", "streaming", "thumbnails", "video", "conference"} {
		f := &agentFlags{cmd: newAgentCmd(), per: "task"}
		if p := f.policyOver(agent.DefaultPolicy(purpose)); !p.PerTask || p.Validate() != nil {
			t.Errorf("%s: %+v, %v", purpose, p, p.Validate())
		}
	}
}
