package agent

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/internal/rabbittest"
)

// rabbit is the broker that the tests of this package share.
var rabbit rabbittest.Shared

func TestMain(m *testing.M) {
	if run := children[os.Getenv(childKind)]; run != nil {
		run()
		return
	}
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		_ = checks.Value.Set("3000") // a check takes a tenth of a millisecond
	}
	code := m.Run()
	rabbit.Stop()
	if err := goleak.Find(); err != nil && code == 0 {
		println(err.Error())
		code = 1
	}
	os.Exit(code)
}

// childKind says what this binary is to be when a test starts it again.
const childKind = "MUSTER_AGENT_TEST_CHILD"

// children are the programs that this binary can be.
var children = map[string]func(){}
