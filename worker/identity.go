package worker

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"strconv"
	"time"

	"github.com/muster-fleet/muster"
)

// withIdentity fills in the address and the ID where they are not given.
func (o Options) withIdentity() Options {
	if o.IP == "" {
		o.IP = Address()
	}
	if o.ID == "" {
		o.ID = newID(o.Purpose, cmp.Or(o.Hostname, o.IP))
	}
	return o
}

// newID makes an ID in OWT's form, which no other worker has.
func newID(purpose, host string) string {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails
	return fmt.Sprintf("%s-%x@%s", purpose, random, host)
}

// Address is the machine's first address that others can reach, IPv4 before
// IPv6; loopback where it has none.
func Address() string {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	var second string
	for _, a := range addrs {
		network, ok := a.(*net.IPNet)
		if !ok || !network.IP.IsGlobalUnicast() {
			continue
		}
		if network.IP.To4() != nil {
			return network.IP.String()
		}
		second = cmp.Or(second, network.IP.String())
	}
	return cmp.Or(second, "127.0.0.1")
}

// info describes the worker when it joins.
func (o Options) info(incarnation string) (json.RawMessage, error) {
	own, err := json.Marshal(muster.Info{
		IP: o.IP, Hostname: o.Hostname, Port: o.Port, Purpose: o.Purpose,
		// OWT's workers join as ready; ReportState says otherwise.
		State: muster.StateReady, MaxLoad: o.MaxLoad, Capacity: listed(o.Capacity),
		Labels: o.Labels, MaxTasks: o.MaxTasks,
	})
	if err != nil {
		return nil, err
	}
	own = withIncarnation(withOldMaxLoad(own, o.MaxLoad), incarnation)
	if len(o.Extra) == 0 {
		return own, nil
	}
	members := map[string]any{}
	if err := json.Unmarshal(own, &members); err != nil {
		return nil, err
	}
	maps.Copy(members, o.Extra)
	raw, err := json.Marshal(members)
	if err != nil {
		return nil, fmt.Errorf("worker: Extra cannot be written as JSON: %w", err)
	}
	return raw, nil
}

// newIncarnation names a process: of two under one ID, the one that started
// later has the greater name.
func newIncarnation(now time.Time) string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	return fmt.Sprintf("%016x-%x", now.UnixNano(), random)
}

// withIncarnation adds what distinguishes this process from others with its ID.
func withIncarnation(info []byte, incarnation string) []byte {
	info = append(info[:len(info)-1], `,"incarnation":`...)
	return append(strconv.AppendQuote(info, incarnation), '}')
}

// withOldMaxLoad adds max_load, which is maxLoad for the managers of OWT 4.2 to
// 5.0: without it they never give the worker a task.
func withOldMaxLoad(info []byte, maxLoad float64) []byte {
	info = append(info[:len(info)-1], `,"max_load":`...)
	return append(strconv.AppendFloat(info, maxLoad, 'g', -1, 64), '}')
}

// checkedInfo is info, within the bounds of a manager.
func (o Options) checkedInfo(incarnation string) (json.RawMessage, error) {
	raw, err := o.info(incarnation)
	if err != nil {
		return nil, err
	}
	info, err := muster.ParseInfo(raw)
	if err == nil {
		err = info.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("worker: a manager would refuse this: %w", err)
	}
	return raw, nil
}

// listed returns c with empty lists in place of nil ones: OWT's programs read
// their lengths.
func listed(c muster.Capacity) muster.Capacity {
	c.ISPs, c.Regions = orEmpty(c.ISPs), orEmpty(c.Regions)
	if c.Video != nil {
		c.Video = &muster.Formats{Encode: orEmpty(c.Video.Encode), Decode: orEmpty(c.Video.Decode)}
	}
	return c
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
