package load

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/net"
)

// FallbackMbps is the rate, in megabits a second, that an interface is taken
// to have when it does not tell one: loopback, bridges, tunnels and most
// virtual machines' interfaces do not. It is what OWT assumes of all.
const FallbackMbps = 1000

// Network is max(received, sent) / maxScale on a network interface since the
// call before; the first call takes 200 ms. maxScale is in megabits a second;
// 0 means the link speed that the driver reports, or FallbackMbps where it
// reports none. An empty iface is the one of the default route.
func Network(iface string, maxScale float64) Source {
	return network(iface, maxScale, time.Now)
}

func network(iface string, maxScale float64, now func() time.Time) *growth[traffic] {
	g := newGrowth(
		func(ctx context.Context) (traffic, error) { return readTraffic(ctx, iface) },
		func(before, after traffic, passed time.Duration) (float64, error) {
			return trafficLoad(before, after, passed, scale(after.iface, maxScale))
		},
	)
	g.now = now
	return g
}

// traffic is the bytes that an interface has carried.
type traffic struct {
	iface    string
	rx, sent uint64
}

func readTraffic(ctx context.Context, iface string) (traffic, error) {
	if iface == "" {
		found, err := defaultInterface(systemRoot)
		if err != nil {
			return traffic{}, err
		}
		iface = found
	}
	all, err := net.IOCountersWithContext(ctx, true)
	if err != nil {
		return traffic{}, fmt.Errorf("load: reading network counters: %w", err)
	}
	names := make([]string, 0, len(all))
	for _, c := range all {
		if c.Name == iface {
			return traffic{iface: iface, rx: c.BytesRecv, sent: c.BytesSent}, nil
		}
		names = append(names, c.Name)
	}
	return traffic{}, fmt.Errorf("load: no network interface %q: use one of %s", iface, strings.Join(names, ", "))
}

// trafficLoad takes counters that went back, because the interface was made
// anew or another took its place, for no traffic.
func trafficLoad(before, after traffic, passed time.Duration, mbps float64) (float64, error) {
	if before.iface != after.iface || after.rx < before.rx || after.sent < before.sent {
		return 0, nil
	}
	bits := 8 * float64(max(after.rx-before.rx, after.sent-before.sent))
	return bits / passed.Seconds() / (mbps * 1e6), nil
}

// scale is the rate to measure against: it is read each time, since a link can
// come up later, or at another rate.
func scale(iface string, maxScale float64) float64 {
	if maxScale > 0 {
		return maxScale
	}
	if mbps, ok := linkSpeed(systemRoot, iface); ok {
		return mbps
	}
	return FallbackMbps
}

// linkSpeed reads the rate that the driver reports. It is absent, unreadable or
// -1 where the interface has none.
func linkSpeed(root, iface string) (float64, bool) {
	mbps, ok := number(readText(filepath.Join(root, "sys/class/net", iface), "speed"))
	return mbps, ok && mbps > 0
}

func defaultInterface(root string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(root, "proc/net/route"))
	if err != nil {
		return "", fmt.Errorf("load: finding the interface of the default route (name one instead): %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "00000000" {
			return f[0], nil
		}
	}
	return "", errors.New("load: there is no default route: name the network interface")
}
