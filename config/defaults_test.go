package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/manager"
)

// A manager without a file starts as one that is made with DefaultOptions.
func TestDefaultsAgreeWithManager(t *testing.T) {
	c, want := config.Default(), manager.DefaultOptions()
	got := manager.Settings{
		InitialTime: c.Manager.InitialTime, CheckAliveInterval: c.Manager.CheckAliveInterval,
		CheckAliveCount: c.Manager.CheckAliveCount, MaxSilentShare: c.Manager.MaxSilentShare, Placement: c.Placement(),
		RecheckShare: c.Manager.RecheckShare, StaleAfter: c.Manager.StaleAfter,
	}
	if diff := cmp.Diff(want.Settings, got); diff != "" {
		t.Error("want -, got +", diff)
	}
	if c.Manager.Name != want.Cluster {
		t.Errorf("the cluster is called %s, want %s", c.Manager.Name, want.Cluster)
	}
}
