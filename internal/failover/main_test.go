package failover

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-fleet/muster/internal/rabbittest"
)

var rabbit rabbittest.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	rabbit.Stop()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
