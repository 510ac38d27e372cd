package owtscript_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/muster-fleet/muster/internal/owtscript"
)

func TestLoad(t *testing.T) {
	got, err := owtscript.Load(t.Context(), "testdata/agent", "")
	if err != nil {
		t.Fatal(err)
	}
	if max := gjson.GetBytes(got.Config, "cluster.worker.load.max").Float(); max != 0.7 || !strings.HasPrefix(got.Libraries, "/opt/plugins:") {
		t.Errorf("%s, %s", got.Config, got.Libraries)
	}
	other := filepath.Join(t.TempDir(), "other.toml")
	if err := os.WriteFile(other, []byte("max_load = 0.5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err = owtscript.Load(t.Context(), "testdata/agent", other); err != nil || gjson.GetBytes(got.Config, "cluster.worker.load.max").Float() != 0.5 {
		t.Errorf("another file: %s, %v", got.Config, err)
	}
	if _, err := owtscript.Load(t.Context(), "testdata/broken", ""); err == nil || !strings.Contains(err.Error(), "Parsing config error on line 3") {
		t.Errorf("a broken file: %v", err)
	}
	if owtscript.HasLoader(t.TempDir()) || !owtscript.HasLoader("testdata/broken") {
		t.Error("HasLoader is wrong")
	}
}

func TestCredentials(t *testing.T) {
	user, password, err := owtscript.Credentials(t.Context(), "testdata/agent")
	if user != "owt" || password != "swordfish" || err != nil {
		t.Errorf("%q, %q, %v", user, password, err)
	}
	if user, password, err = owtscript.Credentials(t.Context(), t.TempDir()); user != "" || password != "" || err != nil {
		t.Errorf("no store: %q, %q, %v", user, password, err)
	}
	_, _, err = owtscript.Credentials(t.Context(), "testdata/broken")
	if err == nil || !strings.Contains(err.Error(), "testdata/broken/.owt.authstore") || !strings.Contains(err.Error(), "MUSTER_BUS_PASSWORD") {
		t.Errorf("no cipher.js: %v", err)
	}
}
