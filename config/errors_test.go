package config

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestErrors(t *testing.T) {
	const all = "least-used, most-used, last-used, round-robin, randomly-pick, weight-robin, two-choices"
	const list = "[manager], [strategy], [rabbit], [bus], [bus.tls], [bus.cluster], [raft], [raft.tls], [placement], [metrics], [http], [http.tls], [trace], [labels], [rooms], [cascading]"
	for _, test := range []struct{ file, want string }{
		{"[manager]\nintial_time = 1", `m.toml:2:1: manager.intial_time: unknown key; did you mean initial_time?`},
		{"[manager]\n  check-alive-count = 1", `m.toml:2:3: manager.check-alive-count: unknown key; did you mean check_alive_count?`},
		{"[manager]\nelecttimeout = 1", `m.toml:2:1: manager.electtimeout: unknown key; did you mean electTimeout?`},
		{"[rabbit]\nurl = 'x'", `m.toml:2:1: rabbit.url: unknown key; did you mean bus.url?`},
		{"[placement]\nweather = 'x'", `m.toml:2:1: placement.weather: unknown key`},
		{"name = 'x'", `m.toml:1:1: name: unknown key; did you mean manager.name?`},
		{"manager = 3", `m.toml:1:1: manager: is a section: got a whole number, write [manager] and its keys below`},
		{"[manager]\nx = {a = 1}", `m.toml:2:1: manager.x: unknown key`},
		{"[bus]\n'tls.ca' = 'x'", `m.toml:2:1: bus."tls.ca": unknown key; did you mean bus.tls.ca?`},
		{"[mangaer]\nname = 'x'\nother = 1", `m.toml:1:2: [mangaer]: unknown section; did you mean [manager]?`},
		{"mangaer.name = 'x'\nmangaer.other = 1", `m.toml:1:1: [mangaer]: unknown section; did you mean [manager]?`},
		{"[weather]", `m.toml:1:2: [weather]: unknown section: there are ` + list},
		{"weather = {a = 1}", `m.toml:1:1: [weather]: unknown section: there are ` + list},
		{"[[manager]]\nname = 'x'", `m.toml:1:3: [[manager]]: double brackets are for lists of tables: write [manager]`},
		{"[manager]\nname = 'x'\nname = 'y'", `m.toml:3:1: manager.name: stands twice, first in line 2`},
		{"[manager]\n[bus]\n[manager]", `m.toml:3:2: [manager]: stands twice, first in line 1`},

		{"[manager]\nname = 3", `m.toml:2:8: manager.name: got a whole number, want a string in quotes`},
		{"[manager]\nname = ' '", `m.toml:2:8: manager.name: must not be empty`},
		{"[manager]\nname = \"a\\nb\"", `m.toml:2:8: manager.name: must not hold line ends or other control characters`},
		{"[manager]\ncheck_alive_count = '3'", `m.toml:2:21: manager.check_alive_count: got a string, want a whole number without quotes`},
		{"[manager]\ncheck_alive_count = 3.5", `m.toml:2:21: manager.check_alive_count: got a number with a fraction, want a whole number without quotes`},
		{"[manager]\ncheck_alive_count = 0", `m.toml:2:21: manager.check_alive_count: 0 is out of range: use 1 to 1000000`},
		{"[manager]\ncheck_alive_count = 99999999999999999999", `m.toml:2:21: manager.check_alive_count: 99999999999999999999 is out of range`},
		{"[manager]\ncheck_alive_interval = 1", `m.toml:2:24: manager.check_alive_interval: 1ms is out of range: use 10ms to 1h`},
		{"[manager]\ninitial_time = -1", `m.toml:2:16: manager.initial_time: -1ms is out of range: use 0s to 24h`},
		{"[manager]\ninitial_time = 9223372036854775807", `m.toml:2:16: manager.initial_time: 9223372036854775807 ms is out of range`},
		{"[manager]\ninitial_time = '10 s'", `m.toml:2:16: manager.initial_time: "10 s" is no duration: write milliseconds (10000), or a duration such as "10s" or "1m30s"`},
		{"[manager]\ninitial_time = '10'", `m.toml:2:16: manager.initial_time: "10" has no unit: write 10ms or 10s; only a number without quotes in the file is milliseconds`},
		{"[raft]\nelection_timeout = '200'", `m.toml:2:20: raft.election_timeout: "200" has no unit: write 200ms or 200s; only a number without quotes in the file is milliseconds`},
		{"[manager]\nschedule_reserve_time = '25h'", `m.toml:2:25: manager.schedule_reserve_time: 25h is out of range: use 1ms to 24h`},
		{"[manager]\nschedule_reserve_time = 07:32:00", `m.toml:2:25: manager.schedule_reserve_time: got a date or time, want milliseconds (10000) or a duration ("10s")`},
		{"[strategy]\nvideo = 'least-usd'", `m.toml:2:9: strategy.video: unknown strategy "least-usd": use one of ` + all + `; did you mean "least-used"?`},
		{"[strategy]\ngeneral = 'fastest'", `m.toml:2:11: strategy.general: unknown strategy "fastest": use one of ` + all},
		{"[strategy]\nvideo = true", `m.toml:2:9: strategy.video: got true or false, want a string in quotes`},
		{"[strategy]\nvideo = ['least-used']", `m.toml:2:1: strategy.video: got an array, want a string in quotes`},
		{"[rabbit]\nport = 70000", `m.toml:2:8: rabbit.port: 70000 is out of range: use 1 to 65535`},
		{"[rabbit]\nhost = ''", `m.toml:2:8: rabbit.host: must not be empty`},
		{"[rabbit]\nprotocol = 'amqqs'", `m.toml:2:12: rabbit.protocol: "amqqs" is none of "amqp", "amqps"; did you mean "amqps"?`},
		{"[placement]\ndebit = 'learnt'", `m.toml:2:9: placement.debit: "learnt" is no debit: use "learned", "off", or a load from 0 to 1; did you mean "learned"?`},
		{"[placement]\ndebit = 1.5", `m.toml:2:9: placement.debit: 1.5 is out of range: use a load from 0 to 1`},
		{"[placement]\ndebit = nan", `m.toml:2:9: placement.debit: "nan" is no number that can be used`},
		{"[placement]\ndebit = false", `m.toml:2:9: placement.debit: got true or false, want "learned", "off", or a load from 0 to 1`},
		{"[placement]\ndebit_floor = 'off'", `m.toml:2:15: placement.debit_floor: got a string, want a number without quotes`},
		{"[labels]\nzone = ''", `m.toml:2:8: labels.zone: must not be empty: a label that only has to exist may be "yes"`},
		{"[cascading]\nenabled = 'no'", `m.toml:2:11: cascading.enabled: got a string, want true or false without quotes`},

		{"[bus]\nurl = 'ampq://h'", `m.toml:2:7: bus.url: "ampq" is no scheme of a message queue: use nats://, tls://, amqp:// or amqps://; did you mean amqp?`},
		{"[bus]\nurl = 'nats:h'", `m.toml:2:7: bus.url: names no host: write nats://host:port`},
		{"[bus]\nurl = 'nats://a b:x@h'", `m.toml:2:7: bus.url: cannot be read as a URL: write scheme://host:port, and % codes for special characters in a password`},
		{"[bus]\nurl = 'nats://a,amqp://b'", `m.toml:2:7: bus.url: names servers of NATS and of RabbitMQ: use one kind`},
		{"[bus]\nlisten = '4222'", `m.toml:2:10: bus.listen: "4222" is no address: write host:port, such as 127.0.0.1:4222`},
		{"[bus.tls]\ncert = 'a.pem'", `m.toml:2:1: bus.tls.cert: needs bus.tls.key too`},
		{"[bus.tls]\nkey = 'a.pem'", `m.toml:2:1: bus.tls.key: needs bus.tls.cert too`},
		{"[bus]\nusers = 'u'\nuser = 'a'\npassword = 'b'", `m.toml:2:1: bus.users: is instead of bus.user and bus.token: leave these out`},
		{"[bus]\nusers = 'u'\nurl = 'nats://h:1'", `m.toml:2:1: bus.users: is for the embedded server, and the settings ask for NATS`},
		{"[bus]\ncredentials = 'c'\nnkey = 'n'", `m.toml:2:1: bus.credentials: and bus.nkey are two ways to get in: leave one out`},
		{"[http.tls]\ncert = 'a.pem'", `m.toml:2:1: http.tls.cert: needs http.tls.key too`},
		{"[http.tls]\nca = 'a.pem'", `m.toml:2:1: http.tls.ca: needs http.tls.cert too`},
		{"[bus.tls]\nca = 'a.pem'", `m.toml:2:1: bus.tls.ca: the embedded server needs bus.tls.cert and bus.tls.key too, or write bus.url to use another`},
		{"raft.addr = 'a:1'\nraft.peers = 'a:1'\n[raft.tls]\nca = 'a.pem'\nkey = 'a.key'", `m.toml:5:1: raft.tls.key: needs raft.tls.cert too: managers prove themselves to each other, which takes ca, cert and key`},
		{"raft.addr = 'a:1'\nraft.peers = 'a:1'\nraft.tls.server_name = 'a'", `m.toml:3:1: raft.tls.server_name: needs raft.tls.ca too: managers prove themselves to each other, which takes ca, cert and key`},
		{"bus.url = 'nats://h'\nraft.addr = 'a:1'\nraft.peers = 'b:1'", `default: raft.secret: must be set where managers are on several machines: 16 bytes or more, here or in MUSTER_RAFT_SECRET; or set raft.tls`},
		{"raft.listen = ':7400'", `m.toml:1:1: raft.listen: needs raft.addr too`},
		{"raft.listen = '7400'", `m.toml:1:15: raft.listen: "7400" is no address: write host:port, such as 127.0.0.1:4222`},
		{"[rabbit]\nhost = 'h:5672'", `m.toml:2:8: rabbit.host: "h:5672" is no host: write a name or an IP address, the port is a key of its own`},
		{"[metrics]\naddr = '9100'", `m.toml:2:8: metrics.addr: "9100" is no address: write host:port, such as 127.0.0.1:4222`},
		{"[manager]\nrecheck_share = 1.5", `m.toml:2:17: manager.recheck_share: 1.5 is out of range: use a load from 0 to 1`},
		{"[bus]\nlisten = 'a/b:1'", `m.toml:2:10: bus.listen: "a/b:1" is no address: write host:port, such as 127.0.0.1:4222`},
		{"bus.cluster.routes = 'h:1'", `m.toml:1:1: bus.cluster.routes: needs bus.cluster.listen too`},
		{"bus.cluster.listen = '0.0.0.0:6222'", `default: bus.cluster.password: must be set where the servers are on several machines, here or in MUSTER_BUS_CLUSTER_PASSWORD; or set ca, cert and key of [bus.tls]`},
		{"bus.cluster.listen = '127.0.0.1:6222'\nbus.cluster.routes = 'h'", `m.toml:2:1: bus.cluster.routes: "h" must be host:port`},
		{"bus.url = 'nats://h'\nbus.cluster.listen = 'h:1'", `m.toml:2:1: bus.cluster.listen: is for the embedded server, and the settings ask for NATS`},
		{"bus.creds = 'a'", `m.toml:1:1: bus.creds: is for a NATS server elsewhere: set bus.url`},
		{"bus.url = 'amqp://h'\nbus.token = 'a'", `m.toml:2:1: bus.token: is for NATS: RabbitMQ asks for bus.user and bus.password`},
		{"bus.url = 'nats://h'\nbus.nkey = 'a'\nbus.user = 'u'", `m.toml:2:1: bus.nkey: and bus.user are two ways to get in: leave one out`},
		{"[bus]\nurl = 'amqp://h'\ntls.ca = 'x'", `m.toml:2:1: bus.url: amqp:// is without TLS, and [bus.tls] asks for it: write amqps://`},

		{"[manager]\nenable_grpc = true", `m.toml:2:1: manager.enable_grpc: Muster's managers are reached over the message queue only: remove it, here and in the files of the other OWT programs`},
		{"[cascading]\nurl = 'http://u:p@h o'", `m.toml:2:7: cascading.url: cannot be read as a URL: write https://host, with a path or without`},
		{"[manager]\nname = \"x", `m.toml:2:9: not TOML: unterminated basic string`},
		{"[manager\nname = 'x'", `m.toml:1:9: not TOML: expected ']' to close table name`},
		{"bus = {user = 'a'}\n[bus]\n", `m.toml:2:2: not TOML: key bus should be a table, not a value`},
	} {
		_, err := Parse("m.toml", []byte(test.file))
		if err == nil {
			t.Errorf("no error for\n%s", test.file)
		} else if diff := cmp.Diff(test.want, err.Error()); diff != "" {
			t.Errorf("for\n%s\nwant -, got +%s", test.file, diff)
		}
	}
}

// All problems of a file are reported in order, up to the first syntax error.
func TestAllErrorsAtOnce(t *testing.T) {
	_, err := Parse("m.toml", []byte(`naem = 1
[manager]
check_alive_count = 0
inital_time = 3
[rabbit]
host = 1
port = "é", "x"
naem = 3
`))
	want := `m.toml:1:1: naem: unknown key; did you mean manager.name?
m.toml:3:21: manager.check_alive_count: 0 is out of range: use 1 to 1000000
m.toml:4:1: manager.inital_time: unknown key; did you mean initial_time?
m.toml:6:8: rabbit.host: got a whole number, want a string in quotes
m.toml:7:11: not TOML: expected newline but got U+002C ','`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error("want -, got +", diff)
	}
	var problem Problem
	if !errors.As(err, &problem) || problem.Key != "naem" || problem.Origin.Line != 1 || problem.Nearest != "manager.name" {
		t.Errorf("the first problem: %+v", problem)
	}
}

// What npm's toml accepts beyond TOML is accepted in OWT's files only.
func TestWhatNpmTakesIsTakenInOWTFiles(t *testing.T) {
	const text = "[rabbit]\nport = 05672\npassword = \"a\\qb\"\n"
	c, err := Parse("/etc/owt/cluster_manager.toml", []byte(text))
	if err != nil || c.Rabbit.Port != 5672 || c.Rabbit.Password.Reveal() != `a\qb` {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := Parse("muster.toml", []byte(text)); err == nil {
		t.Error("it is accepted in a file of Muster's")
	}
}

func TestErrorsOfFlagsAndVariables(t *testing.T) {
	c := Default()
	for _, test := range []struct {
		err  error
		want string
	}{
		{c.SetFlag("--url", "bus.url", "natss://h"), `flag --url: bus.url: "natss" is no scheme of a message queue: use nats://, tls://, amqp:// or amqps://; did you mean nats?`},
		{c.SetFlag("--count", "manager.check_alive_count", "many"), `flag --count: manager.check_alive_count: "many" is no whole number`},
		{c.SetFlag("--debit", "placement.debit", "2"), `flag --debit: placement.debit: 2 is out of range: use a load from 0 to 1`},
		{c.SetFlag("--x", "manager.nam", "x"), `flag --x: manager.nam: unknown key; did you mean manager.name?`},
		{c.ApplyEnv([]string{"MUSTER_BUS_LISTEN=x", "OTHER=1", "MUSTER_BUS_URI=x"}), "environment MUSTER_BUS_LISTEN: bus.listen: \"x\" is no address: write host:port, such as 127.0.0.1:4222\n" +
			"environment MUSTER_BUS_URI: unknown variable; did you mean MUSTER_BUS_URL?"},
	} {
		if test.err == nil {
			t.Errorf("no error, want %s", test.want)
		} else if diff := cmp.Diff(test.want, test.err.Error()); diff != "" {
			t.Error("want -, got +", diff)
		}
	}
	for key, text := range map[string]string{
		"placement.debit": "0.5", "manager.initial_time": "3s", "manager.check_alive_interval": "500ms",
		"cascading.enabled": "true", "strategy.video": "most-used", "labels.zone": "b", "placement.debit_floor": "0",
	} {
		if err := c.SetFlag("--set", key, text); err != nil || c.Origin(key).Source != FromFlag {
			t.Errorf("%s = %s: %v, from %v", key, text, err, c.Origin(key))
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, test := range []struct {
		file string
		want []string
	}{
		{"[bus]\nurl='nats://h'", nil},
		{"[cascading]\nenabled = true\nurl = 'https://cloud.example/base'", nil},
		{"[cascading]\nurl = 'none'", nil},
		{"[cascading]\nenabled = true\nurl = 'none'", []string{"m.toml:3:1: cascading.url: is no http:// or https:// URL: no cloud hears of this cluster"}},
		{"[cascading]\nenabled = true\nurl = 'http://cloud.example'", []string{"m.toml:3:1: cascading.url: is without TLS: the key of the REST interface, which OWT's management API registers, travels in the clear"}},
		{"[manager]\ngrpc_host = 'localhost:10080'", []string{"m.toml:2:1: manager.grpc_host: is of another version of OWT, and has no effect"}},
		{"[cloud]\nurl = 'x'", []string{"m.toml:2:1: cloud.url: is of another version of OWT, and has no effect"}},
		{"[cascading]\nclusterId = 'x'", []string{"m.toml:2:1: cascading.clusterId: unknown key, without effect; did you mean clusterID?"}},
		{"[cascading.more]\nx = 1", []string{"m.toml:2:1: cascading.more.x: unknown key, without effect"}},
		{"[bus]\nurl='nats://h'\n[rabbit]", []string{"m.toml:2:1: bus.url: has no effect: the section [rabbit] in line 3 goes first"}},
		{"[bus]\nlisten=':4222'", []string{"m.toml:2:1: bus.listen: is open to the network without a password: set bus.users, or bus.user and bus.password"}},
		{"[bus]\nlisten=':4222'\nuser='u'\npassword='p'", nil},
		{"[bus]\nlisten='localhost:4222'", nil},
		{"[strategy]\nviedo='most-used'\nquic='most-used'\nweather='most-used'", []string{"m.toml:2:1: strategy.viedo: is none of OWT's purposes; did you mean video?"}},
	} {
		if diff := cmp.Diff(test.want, parse(t, test.file).Warnings()); diff != "" {
			t.Errorf("%q: want -, got +%s", test.file, diff)
		}
	}
}
