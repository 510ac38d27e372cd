package systemtest

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/internal/rabbittest"
)

// program is the muster that the tests run.
var program string

// rabbit is the RabbitMQ that the tests share; one at a time uses it.
var rabbit rabbittest.Shared

func TestMain(m *testing.M) {
	if addr := os.Getenv(natsVariable); addr != "" {
		os.Exit(runNATS(addr))
	}
	if kind := os.Getenv(floodVariable); kind != "" {
		os.Exit(runFlood(kind))
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "muster-systemtest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "muster")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/muster").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
		return 1
	}
	code := m.Run()
	rabbit.Stop()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// natsVariable makes this program a NATS server at the address that it holds.
const natsVariable = "SYSTEMTEST_NATS"

func runNATS(addr string) int {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	server, err := natsserver.Start(natsserver.Options{Listen: addr})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	<-ended
	_ = server.Close()
	return 0
}
