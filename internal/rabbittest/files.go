package rabbittest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
)

func (b *Broker) writeFiles() error {
	for _, dir := range []string{"home", "data", "log", "generated"} {
		if err := os.MkdirAll(filepath.Join(b.dir, dir), 0o700); err != nil {
			return err
		}
	}
	files := map[string][]byte{
		"plugins":          []byte("[].\n"),
		"rabbitmq.conf":    []byte(b.configuration()),
		"definitions.json": []byte(definitions),
		"ca.pem":           b.authority.certPEM,
		"server.pem":       b.authority.serverPEM,
		"server.key":       b.authority.serverKeyPEM,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(b.dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

const definitions = `{
	"vhosts": [{"name": "/"}],
	"users": [
		{"name": "guest", "password": "guest", "tags": "administrator"},
		{"name": "` + User + `", "password": "` + Password + `", "tags": ""}
	],
	"permissions": [
		{"user": "guest", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"},
		{"user": "` + User + `", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
	]
}
`

func (b *Broker) configuration() string {
	return fmt.Sprintf(`listeners.tcp.1 = 127.0.0.1:%d
listeners.ssl.1 = 127.0.0.1:%d
ssl_options.cacertfile = %s/ca.pem
ssl_options.certfile = %[3]s/server.pem
ssl_options.keyfile = %[3]s/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 1MB
log.file.level = info
load_definitions = %[3]s/definitions.json
`, b.port, b.tlsPort, b.dir)
}

// freePorts finds n unused ports. They lie below the range from
// which Linux takes the ports of outgoing connections: a client that tries a
// port of that range again and again, while the broker is down, in the end
// connects to itself. Another process may take a port before the broker does;
// the start then fails with what the broker says.
func freePorts(n int) ([]int, error) {
	const low, high, tries = 10000, 32000, 1000
	var ports []int
	for range tries {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", low+rand.IntN(high-low)))
		if err != nil {
			continue
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
		if len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no free port between %d and %d on 127.0.0.1", low, high)
}
