package main

import (
	"fmt"
	"net"
	"strings"
)

// managerPurpose stands for a manager among the duties of up.
const managerPurpose = "manager"

// managerDuties are the command lines of several managers that agree by Raft on
// this machine, around the message queue of h.
func (u *up) managerDuties(h *host) ([]duty, error) {
	addrs, err := freeAddrs(u.managers)
	if err != nil {
		return nil, err
	}
	secret := "MUSTER_RAFT_SECRET=" + randomSecret()
	var duties []duty
	for i, addr := range addrs {
		args := []string{"manager", "--raft", addr, "--peers", strings.Join(addrs, ","),
			"--initial-time", h.cfg.Manager.InitialTime.String(), "--metrics", nextPort(h.cfg.Metrics.Addr, i)}
		duties = append(duties, duty{
			name: fmt.Sprintf("manager %d at %s", i+1, addr), purpose: managerPurpose,
			args: append(args, u.commonArgs(h)...), env: []string{secret},
		})
	}
	return duties, nil
}

// freeAddrs are addresses of the loopback that nobody listened at just now.
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
