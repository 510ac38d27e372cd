package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/muster-fleet/muster"
)

// owtDir is a directory of an OWT agent, as far as its loader goes.
func owtDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const loaderOfOWT = `exports.load = () => ({
  agent: { maxProcesses: 13, prerunProcesses: 1 },
  cluster: { name: 'owt-cluster', worker: { ip: '192.0.2.7', join_retry: 7, load: { max: 0.7, period: 500, item: { name: 'cpu' } } } },
  capacity: { isps: [], regions: [], video: { encode: ['vp8', 'h264_CB'], decode: ['vp9'] } }, video: { codecs: { encode: ['vp8'] } } })`

// nodeOfOWT is ready, and leaves what it was started with.
const nodeOfOWT = `const fs = require('fs');
fs.writeFileSync('started.json', JSON.stringify({ id: process.argv[2], config: JSON.parse(process.argv[4]) }));
process.send('READY'); setInterval(() => process.send('IMOK'), 500); process.on('disconnect', () => process.exit());`

// muster agent --owt reports what OWT's loader computes, hands it to the nodes,
// and is called as OWT's agents are.
func TestAgentTakesWhatOWTsLoaderComputes(t *testing.T) {
	_, url := beginManager(t, "--listen", "127.0.0.1:0", "--initial-time", "0s")
	dir := owtDir(t, map[string]string{"configLoader.js": loaderOfOWT, "workingNode.js": nodeOfOWT, "agent.toml": "[agent]\nmaxProcesses = 013\n"})
	p := begin(t, "agent", "--purpose", "video", "--owt", dir, "--dir", t.TempDir(), "--url", url)
	id := p.await(`(?m)^(video-[0-9a-f]{20}@192\.0\.2\.7)$`)[1]
	workers := decoded[[]muster.Worker](t, "workers", "--url", url)
	if len(workers) != 1 || workers[0].ID != id || workers[0].Info.MaxLoad != 0.7 ||
		workers[0].Info.Capacity.Video == nil || len(workers[0].Info.Capacity.Video.Encode) != 2 {
		t.Fatalf("workers: %+v", workers)
	}
	var started struct {
		ID     string
		Config struct {
			Purpose string
			Video   struct{ Codecs struct{ Encode []string } }
		}
	}
	eventually(t, "no node starts", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "started.json"))
		return err == nil && json.Unmarshal(text, &started) == nil
	})
	if started.Config.Purpose != "video" || len(started.Config.Video.Codecs.Encode) != 1 || !regexp.MustCompile(`@192\.0\.2\.7_0$`).MatchString(started.ID) {
		t.Errorf("the node is started with %+v", started)
	}
}

func TestAgentRefusesWhatItCannotDoForOWT(t *testing.T) {
	dir := owtDir(t, map[string]string{"configLoader.js": `exports.load = () => ({agent: {enable_grpc: true}})`, "workingNode.js": ""})
	contains(t, refusedWith(t, 1, "agent", "--purpose", "video", "--owt", dir).stderr, "agent.enable_grpc", "over the message queue only")
	dir = owtDir(t, map[string]string{"configLoader.js": `exports.load = () => { console.error('Parsing config error on line 3'); process.exit(1) }`, "workingNode.js": ""})
	contains(t, refusedWith(t, 1, "agent", "--purpose", "video", "--owt", dir).stderr, "OWT's configuration loader in "+dir, "line 3")
}

// The queue's user and password come from OWT's store; one that cannot be read
// is named.
func TestAuthStoreOfOWT(t *testing.T) {
	const cipher = `exports.k = ''; exports.astore = '.owt.authstore'; exports.unlock = (k, f, cb) => cb(null, JSON.parse(require('fs').readFileSync(f)))`
	host, port, err := net.SplitHostPort(rabbit.Broker(t).Addr())
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"cluster_manager.toml": "[rabbit]\nhost = '" + host + "'\nport = 0" + port + "\nusername = 'wrong'\npassword = 'wrong'\n[manager]\nname = 'auth'\ninitial_time = 0\n",
		".owt.authstore":       `{"rabbit":{"username":"guest","password":"guest"}}`, "cipher.js": cipher,
	}
	dir := owtDir(t, files)
	begin(t, "manager", "-c", filepath.Join(dir, "cluster_manager.toml")).await(`msg="manager takes requests"`)

	delete(files, "cipher.js")
	dir = owtDir(t, files)
	contains(t, refusedWith(t, 1, "manager", "-c", filepath.Join(dir, "cluster_manager.toml")).stderr,
		filepath.Join(dir, ".owt.authstore"), "MUSTER_BUS_USER and MUSTER_BUS_PASSWORD")
}
