package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/muster-fleet/muster/internal/systemtest/cluster"
)

// servers are processes that end together, and the directory of what they keep.
type servers struct {
	crew *cluster.Crew
	dir  string
}

// memoryDir is where Linux keeps files in memory, so that no disk is measured.
const memoryDir = "/dev/shm"

// newServers makes the directory in disk, or in memory where that is "".
func newServers(disk string) (*servers, error) {
	parent := disk
	if info, err := os.Stat(memoryDir); parent == "" && err == nil && info.IsDir() {
		parent = memoryDir
	}
	dir, err := os.MkdirTemp(parent, "musterbench-")
	if err != nil {
		return nil, err
	}
	return &servers{crew: cluster.NewCrew(), dir: dir}, nil
}

func (s *servers) close() {
	s.crew.Close()
	_ = os.RemoveAll(s.dir)
}

// addrs returns n free addresses of this machine.
func addrs(n int) ([]string, error) {
	var out []string
	for range n {
		addr, err := cluster.FreeAddr()
		if err != nil {
			return nil, err
		}
		out = append(out, addr)
	}
	return out, nil
}

// startNATS runs NATS servers that form a cluster where there are several, and
// returns their URL.
func (s *servers) startNATS(command []string, n int) (string, error) {
	clients, err := addrs(n)
	if err != nil {
		return "", err
	}
	routes, err := addrs(n)
	if err != nil {
		return "", err
	}
	for i := range n {
		args := append(append([]string{}, command[1:]...),
			"--name", fmt.Sprint("nats-", i), "--listen", clients[i], "--store", filepath.Join(s.dir, fmt.Sprint("nats-", i)))
		if n > 1 {
			args = append(args, "--routes-listen", routes[i], "--routes", strings.Join(routes, ","))
		}
		if _, err := s.crew.Start(exec.Command(command[0], args...)); err != nil {
			return "", err
		}
	}
	return "nats://" + strings.Join(clients, ",nats://"), nil
}

// startEtcd runs members of an etcd cluster, and returns the addresses of their
// clients.
func (s *servers) startEtcd(program string, n int) ([]string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("%w: install etcd (Debian: etcd-server)", err)
	}
	clients, err := addrs(n)
	if err != nil {
		return nil, err
	}
	peers, err := addrs(n)
	if err != nil {
		return nil, err
	}
	var members []string
	for i, peer := range peers {
		members = append(members, fmt.Sprintf("etcd-%d=http://%s", i, peer))
	}
	for i := range n {
		cmd := exec.Command(path, "--name", fmt.Sprint("etcd-", i), "--data-dir", filepath.Join(s.dir, fmt.Sprint("etcd-", i)),
			"--listen-client-urls", "http://"+clients[i], "--advertise-client-urls", "http://"+clients[i],
			"--listen-peer-urls", "http://"+peers[i], "--initial-advertise-peer-urls", "http://"+peers[i],
			"--initial-cluster", strings.Join(members, ","), "--initial-cluster-state", "new", "--log-level", "error")
		if _, err := s.crew.Start(cmd); err != nil {
			return nil, err
		}
	}
	return clients, nil
}

// eventually calls f until it succeeds or ctx ends. Each call must bound its own
// time.
func eventually(ctx context.Context, f func(context.Context) error) error {
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
	}
}
