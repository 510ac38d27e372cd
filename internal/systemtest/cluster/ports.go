package cluster

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// freeAddrs are n free addresses of 127.0.0.1. Their ports lie
// below the range from which Linux takes those of outgoing connections, so that
// one stays free while the process that listened there is replaced.
func freeAddrs(n int) ([]string, error) {
	const low, high, tries = 10000, 32000, 1000
	var addrs []string
	for range tries {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", low+rand.IntN(high-low)))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }() // not before all are known, or one comes twice
		if addrs = append(addrs, l.Addr().String()); len(addrs) == n {
			return addrs, nil
		}
	}
	return nil, fmt.Errorf("no free port between %d and %d on 127.0.0.1", low, high)
}

// FreeAddr is a free address of 127.0.0.1.
func FreeAddr() (string, error) {
	addrs, err := freeAddrs(1)
	if err != nil {
		return "", err
	}
	return addrs[0], nil
}
