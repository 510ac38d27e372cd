package host

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/internal/rabbittest"
)

// rabbit is the broker that the tests of this package share.
var rabbit rabbittest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	rabbit.Stop()
	if err := goleak.Find(); err != nil && code == 0 {
		println(err.Error())
		code = 1
	}
	os.Exit(code)
}
