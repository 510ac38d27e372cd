package rabbittest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Ctl runs rabbitmqctl on the broker.
func (b *Broker) Ctl(ctx context.Context, args ...string) error {
	path := "/usr/lib/rabbitmq/bin/rabbitmqctl"
	if _, err := os.Stat(path); err != nil {
		path = "rabbitmqctl"
	}
	name := fmt.Sprintf("muster-test-%d@localhost", b.port)
	cmd := exec.CommandContext(ctx, path, append([]string{"--node", name}, args...)...)
	cmd.Dir = b.dir
	cmd.Env = append(b.environment(), "HOME="+filepath.Join(b.dir, "home"),
		// It finds the node at its fixed port, and needs no port of its own.
		"RABBITMQ_CTL_ERL_ARGS=-start_epmd false -dist_listen false -erl_epmd_port "+strconv.Itoa(b.distributionPort))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("rabbittest: rabbitmqctl %v: %w: %s", args, err, out)
	}
	return nil
}
