package main

import (
	"fmt"
	"net"
	"strings"

	"github.com/muster-fleet/muster/config"
)

// managerPurpose stands for a manager among the processes of up.
const managerPurpose = "manager"

// managerSpecs are the command lines of several managers that agree by Raft on
// this machine, around the message queue of h.
func (u *up) managerSpecs(h *managerProcess) ([]childSpec, error) {
	addrs, err := freeAddrs(u.managers)
	if err != nil {
		return nil, err
	}
	u.first = addrs[0]
	if u.pages, err = httpAddrs(h.cfg.HTTP.Addr, u.managers, h.anyPort); err != nil {
		return nil, err
	}
	env := u.managerEnv(h.cfg)
	var specs []childSpec
	for i, addr := range addrs {
		args := []string{"manager", "--raft", addr, "--peers", strings.Join(addrs, ","),
			"--initial-time", h.cfg.Manager.InitialTime.String()}
		if metrics := nextPort(h.cfg.Metrics.Addr, i); metrics != "" {
			args = append(args, "--metrics", metrics)
		}
		if args = append(args, "--http", ""); u.pages != nil {
			args[len(args)-1] = u.pages[i]
		}
		if h.anyPort {
			args = append(args, "--"+anyPortName)
		}
		specs = append(specs, childSpec{
			name: fmt.Sprintf("manager %d at %s", i+1, addr), purpose: managerPurpose,
			args: append(args, u.commonArgs(h)...), env: env,
		})
	}
	return specs, nil
}

// managerEnv is what the managers find in their environment: nothing where they
// have a secret in common anyway. A user without a directory to keep one in
// gets one for this run, and cannot start a manager again by hand.
func (u *up) managerEnv(cfg *config.Config) []string {
	if cfg.Raft.Secret.Reveal() != "" {
		return nil
	}
	_, err := localSecret()
	if err == nil {
		return nil
	}
	_, _ = fmt.Fprintf(u.stderr, "muster: %v, or a manager that ends cannot be started again\n", err)
	return []string{"MUSTER_RAFT_SECRET=" + randomSecret()}
}

// commandLine is what starts a process of up again, to be copied into a shell.
func (s *childSpec) commandLine() string {
	words := []string{"muster"}
	for _, arg := range s.args {
		if strings.ContainsAny(arg, " \t\n\"'$&|;<>()*?[]{}~#!\\`") || arg == "" {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// freeAddrs are addresses of the loopback that were free just now.
func freeAddrs(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // not before all are known, or one comes twice
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

// httpAddrs are the addresses of the managers' pages: this one and the ports after it,
// or where anyPort is set and one is taken, a free one; none where there is no address.
func httpAddrs(addr string, n int, anyPort bool) ([]string, error) {
	if addr == "" {
		return nil, nil
	}
	free, err := freeAddrs(n)
	if err != nil {
		return nil, err
	}
	var addrs []string
	for i := range n {
		next := nextPort(addr, i)
		if l, err := net.Listen("tcp", next); err == nil {
			_ = l.Close()
		} else if anyPort {
			next = free[i]
		}
		addrs = append(addrs, next)
	}
	return addrs, nil
}
