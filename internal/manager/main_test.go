package manager

import (
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/bus/natsbus/natsserver"
	"github.com/muster-fleet/muster/internal/rabbittest"
)

// rabbit is the broker that the tests of this package share, which run one after
// the other. They may kill it, and leave it running.
var rabbit rabbittest.Shared

// SharedRabbit is rabbit for the tests outside the package.
var SharedRabbit = &rabbit

// natsListen tells a process of this test program to be a NATS server there.
const natsListen = "MANAGER_TEST_NATS"

// beNATS is a server until standard input ends.
func beNATS(listen string) {
	s, err := natsserver.Start(natsserver.Options{Listen: listen})
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString(s.URL() + "\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func TestMain(m *testing.M) {
	if listen := os.Getenv(natsListen); listen != "" {
		beNATS(listen)
	}
	code := m.Run()
	rabbit.Stop()
	if err := goleak.Find(); err != nil && code == 0 {
		println(err.Error())
		code = 1
	}
	os.Exit(code)
}
