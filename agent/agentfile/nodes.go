package agentfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
)

// own returns the section named after the purpose.
type own struct {
	Hostname string `json:"hostname"`
	Port     int    `json:"port"`
}

func ownOf(whole map[string]any, purpose string) (own, error) {
	var o own
	section, _ := whole[purpose].(map[string]any)
	text, err := json.Marshal(map[string]any{"hostname": section["hostname"], "port": section["port"]})
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		return o, fmt.Errorf("%s: hostname must be a string, port a whole number: %w", purpose, err)
	}
	return o, nil
}

// address returns the address at which the agent is reached: that of the file, or
// the first address of the interface that it names, else "".
func (s *sections) address() string {
	for _, ip := range []string{s.Cluster.Worker.IP, s.Internal.IP} {
		if ip != "" {
			return ip
		}
	}
	return addressOf(s.Internal.Interface)
}

func addressOf(name string) string {
	card, err := net.InterfaceByName(name)
	if err != nil {
		return ""
	}
	addresses, err := card.Addrs()
	if err != nil {
		return ""
	}
	for _, a := range addresses {
		if ip, _, err := net.ParseCIDR(a.String()); err == nil && ip.To4() != nil {
			return ip.String()
		}
	}
	return ""
}

// NodeConfig returns the configuration argument of an OWT node: the whole file,
// completed as OWT's own loader does, for an agent that is reached at ip. If OWT's
// loader made the configuration, it is complete already.
func (f *File) NodeConfig(purpose, ip string) (json.RawMessage, error) {
	c := maps.Clone(f.whole)
	c["purpose"] = purpose
	if f.loaded {
		return encodeConfig(c)
	}
	c["agent"] = over(c["agent"], map[string]any{"maxProcesses": f.Policy.MaxNodes, "prerunProcesses": f.Policy.Prerun})
	cluster := over(c["cluster"], map[string]any{"name": f.Cluster})
	cluster["worker"] = over(cluster["worker"], map[string]any{
		"ip": ip, "join_retry": f.JoinRetries,
		"load": map[string]any{"max": f.MaxLoad, "period": f.LoadInterval.Milliseconds(), "item": f.Load.item()},
	})
	c["cluster"] = cluster
	c["capacity"] = over(map[string]any{"isps": []string{}, "regions": []string{}}, section(c["capacity"]))
	c["internal"] = over(c["internal"], map[string]any{"ip_address": ip})
	return encodeConfig(c)
}

func encodeConfig(c map[string]any) (json.RawMessage, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("agent file: as JSON for the nodes: %w", err)
	}
	return text, nil
}

func (l Load) item() map[string]any {
	item := map[string]any{"name": l.Item}
	if l.Disk != "" {
		item["drive"] = l.Disk
	}
	if l.Interface != "" {
		item["interf"], item["max_scale"] = l.Interface, l.Mbps
	}
	return item
}

func section(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// over returns a copy of a section with some keys replaced.
func over(base any, keys map[string]any) map[string]any {
	out := map[string]any{}
	maps.Copy(out, section(base))
	maps.Copy(out, keys)
	return out
}
