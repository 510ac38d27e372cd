package process

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// varRole makes this binary something else than tests: a node, or a host that
// is to be killed.
const varRole = "PROCESS_TEST_ROLE"

// roles are what this binary can be.
var roles = map[string]func() error{}

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv(varRole)]; ok {
		if err := role(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
