package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/muster-fleet/muster/internal/httpapi"
)

// Without tokens everybody is an admin, but profiles are for this machine only.
func TestProfilesWithoutTokens(t *testing.T) {
	c := startCluster(t, httpapi.Options{})
	open, err := httpapi.New(httpapi.Options{Cluster: c.client, Queue: c.conn, Name: "owt-cluster"})
	must(t, err)
	for from, want := range map[string]int{"127.0.0.1:4711": http.StatusOK, "[::1]:4711": http.StatusOK, "192.0.2.1:4711": http.StatusForbidden} {
		req := httptest.NewRequestWithContext(c.ctx, http.MethodGet, "/debug/pprof/cmdline", nil)
		req.RemoteAddr = from
		res := httptest.NewRecorder()
		open.Handler().ServeHTTP(res, req)
		if res.Code != want {
			t.Errorf("from %s: %d, want %d", from, res.Code, want)
		}
	}
}
