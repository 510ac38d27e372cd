package media

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// recordThis makes a process of the test a node that records.
const recordThis = "MUSTER_TEST_RECORD"

// When the node is killed with -9, its ffmpeg goes too.
func TestNodeKilled(t *testing.T) {
	if spec := os.Getenv(recordThis); spec != "" {
		_, _ = do(t, Record, spec)
		return
	}
	t.Parallel()
	var begin, end sync.Once
	watched, gone := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin.Do(func() { close(watched) })
		<-r.Context().Done() // ffmpeg would wait for data far longer than this test
		end.Do(func() { close(gone) })
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	helper := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestNodeKilled$")
	helper.Env = append(os.Environ(), recordThis+"="+fmt.Sprintf(`{"input": "%s/x.mkv", "output": %q}`, server.URL, t.TempDir()))
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	within := time.After(15 * time.Second) // ffmpeg itself gives up after 20 s
	await(t, watched, within)
	_ = helper.Process.Kill()
	_ = helper.Wait()
	await(t, gone, within)
}

func await(t *testing.T, c <-chan struct{}, late <-chan time.Time) {
	t.Helper()
	select {
	case <-c:
	case <-late:
		t.Fatal("ffmpeg did not come, or did not go")
	}
}
