package config

import (
	"time"

	"github.com/muster-fleet/muster/internal/state"
)

// The sections, in the order of the manual.
var sections = []section{
	{name: "manager", meaning: "The manager itself. Numbers are milliseconds, as in OWT."},
	{name: "strategy", meaning: "Which of the workers that may take a task does take it, by purpose. Any purpose may be named."},
	{name: "rabbit", meaning: "RabbitMQ. The section alone, even empty, means that the manager speaks RabbitMQ."},
	{name: "bus", meaning: "The message queue, where there is no `[rabbit]`."},
	{name: "bus.tls", meaning: "TLS, for every kind of queue. A relative name of a file starts from the configuration file's directory, one from a flag or the environment from the working directory. The embedded server shows `cert`, and asks for client certificates where there is a `ca`. There is no switch that turns verification off: name the authority in `ca`, and what the certificate is made out to in `server_name`."},
	{name: "bus.cluster", meaning: "The embedded servers of several managers form one queue, so that no machine is needed for it alone: see docs/three-machines.md. With `cert`, `key` and `ca` in `[bus.tls]` the servers prove themselves to each other with these too."},
	{name: "raft", meaning: "Several managers that agree by Raft. Without `addr` the manager is alone."},
	{name: "raft.tls", meaning: "Mutual TLS between the managers, with `raft.secret` or instead of it. `ca`, `cert` and `key` belong together; relative names as in `[bus.tls]`. A certificate is both for servers and clients, and made out to the host or IP of the manager's `raft.addr`, or all of them to one `server_name`."},
	{name: "placement", meaning: "Placing, beyond OWT."},
	{name: "metrics", meaning: "What the manager measures, for Prometheus."},
	{name: "labels", meaning: "Labels of the workers that this process starts, one a key."},
	{name: "cascading", meaning: "OWT's cascading of clusters: the leader reports this cluster to a cloud that hands clients to one of several (docs/owt.md). Keys of other OWT versions are accepted."},
}

type section struct{ name, meaning string }

// A key is one line of the manual.
type key struct {
	name    string
	meaning string
	// env is the variable that overrides it, if any.
	env string
	// restart tells that a change takes effect only in a new process.
	restart bool
	// inert tells that OWT knows the key and Muster makes nothing of it.
	inert bool
	field
}

const (
	day  = 24 * time.Hour
	most = state.MaxReserveMillis * time.Millisecond
)

// keys are the keys with a fixed name. Those of [strategy] and [labels] that
// a user may make up are made by lookup.
var keys = []key{
	{name: "manager.name", restart: true, meaning: "Name of the cluster, and of the manager's queue.",
		field: at(name(), func(c *Config) *string { return &c.Manager.Name })},
	{name: "manager.initial_time", meaning: "How long a fresh manager only gathers workers before it places tasks; 0: not at all.",
		field: at(span(0, day), func(c *Config) *time.Duration { return &c.Manager.InitialTime })},
	{name: "manager.check_alive_interval", meaning: "How often the workers' signs of life are counted.",
		field: at(span(10*time.Millisecond, time.Hour), func(c *Config) *time.Duration { return &c.Manager.CheckAliveInterval })},
	{name: "manager.check_alive_count", meaning: "How many counts in a row a worker may miss; at the next one it is lost.",
		field: at(whole(1, 1_000_000), func(c *Config) *int { return &c.Manager.CheckAliveCount })},
	{name: "manager.max_silent_share", meaning: "Beyond OWT: where more than ten workers, and more than this share of all, are lost at the same count, none is given up: what they would be heard through is more likely to have failed. 1: any number is.",
		field: at(load(), func(c *Config) *float64 { return &c.Manager.MaxSilentShare })},
	{name: "manager.recheck_share", meaning: "Beyond OWT: after a time in which no worker could be heard, or none was given up, at most this share of the workers is lost at one count, though at least one. 1: any number is.",
		field: at(load(), func(c *Config) *float64 { return &c.Manager.RecheckShare })},
	{name: "manager.stale_after", meaning: "Beyond OWT: how long the managers have no leader before look-ups are answered from the last state, marked as stale; everything else waits. OWT's programs wait for 2 seconds. 0: never. Not with `replica = \"owt\"`.",
		field: at(span(0, time.Hour), func(c *Config) *time.Duration { return &c.Manager.StaleAfter })},
	{name: "manager.schedule_reserve_time", meaning: "How long a worker is held for a task, where the request does not say.",
		field: at(span(time.Millisecond, most), func(c *Config) *time.Duration { return &c.Manager.ReserveTime })},
	{name: "manager.replica", restart: true, meaning: "How several managers agree: `raft` (with `raft.addr`), or `owt`, OWT's own protocol of 4.2 to 5.1, beside its Node.js managers; those of its master branch speak another. `auto`: by Raft where there is a `raft.addr`, else the manager is alone.",
		field: at(choice("auto", "raft", "owt"), func(c *Config) *string { return &c.Manager.Replica })},
	{name: "manager.enable_grpc", restart: true, meaning: "OWT 5.1: refused where it is true. Muster speaks over the message queue only.",
		field: at(yesNo(), func(c *Config) *bool { return &c.Manager.EnableGRPC })},
	{name: "manager.totalNode", restart: true, inert: true, meaning: "OWT's master branch: number of managers.",
		field: at(whole(1, 1000), func(c *Config) *int { return &c.Manager.TotalNode })},
	{name: "manager.electTimeout", restart: true, inert: true, meaning: "OWT's master branch: how long a manager waits before it stands for election.",
		field: at(span(0, time.Hour), func(c *Config) *time.Duration { return &c.Manager.ElectTimeout })},

	{name: "strategy.general", meaning: "For every purpose that has no strategy of its own.",
		field: at(strategy(), strategyGeneral)},

	{name: "rabbit.host", restart: true, meaning: "Host of RabbitMQ.",
		field: at(host(), func(c *Config) *string { return &c.Rabbit.Host })},
	{name: "rabbit.port", restart: true, meaning: "Port of RabbitMQ.",
		field: at(whole(1, 65535), func(c *Config) *int { return &c.Rabbit.Port })},
	{name: "rabbit.username", restart: true, meaning: "User; RabbitMQ's `guest` where none is given. `bus.user` goes first.",
		field: at(text(), func(c *Config) *string { return &c.Rabbit.Username })},
	{name: "rabbit.login", restart: true, meaning: "The same, as older OWT versions call it. `username` goes first.",
		field: at(text(), func(c *Config) *string { return &c.Rabbit.Login })},
	{name: "rabbit.password", restart: true, meaning: "Password; `guest` where none is given. `bus.password` goes first.",
		field: at(secret(), func(c *Config) *Secret { return &c.Rabbit.Password })},
	{name: "rabbit.vhost", restart: true, meaning: "Virtual host.",
		field: at(name(), func(c *Config) *string { return &c.Rabbit.VHost })},
	{name: "rabbit.protocol", restart: true, meaning: "`amqps` is TLS; so is `amqp` with any key of `[bus.tls]`.",
		field: at(choice("amqp", "amqps"), func(c *Config) *string { return &c.Rabbit.Protocol })},
	{name: "rabbit.heartbeat", restart: true, inert: true, meaning: "amqplib: seconds between heart-beats.",
		field: at(whole(0, 65535), func(c *Config) *int { return &c.Rabbit.Heartbeat })},
	{name: "rabbit.frameMax", restart: true, inert: true, meaning: "amqplib: bytes in a frame.",
		field: at(whole(0, 1<<31-1), func(c *Config) *int { return &c.Rabbit.FrameMax })},
	{name: "rabbit.locale", restart: true, inert: true, meaning: "amqplib: language of the broker's errors.",
		field: at(text(), func(c *Config) *string { return &c.Rabbit.Locale })},

	{name: "bus.url", env: "MUSTER_BUS_URL", restart: true, meaning: "Message queue: `nats://`, `tls://` (NATS), `amqp://` or `amqps://`; several, parted by commas, are one cluster. Empty: a NATS server inside the manager. Given by flag or environment it goes before `[rabbit]`, else after.",
		field: at(address(), func(c *Config) *URL { return &c.Bus.URL })},
	{name: "bus.listen", env: "MUSTER_BUS_LISTEN", restart: true, meaning: "Address of the NATS server inside the manager.",
		field: at(listen(), func(c *Config) *string { return &c.Bus.Listen })},
	{name: "bus.user", env: "MUSTER_BUS_USER", restart: true, meaning: "User, for every kind of queue. The embedded server asks its clients for it.",
		field: at(text(), func(c *Config) *string { return &c.Bus.User })},
	{name: "bus.password", env: "MUSTER_BUS_PASSWORD", restart: true, meaning: "Password, likewise.",
		field: at(secret(), func(c *Config) *Secret { return &c.Bus.Password })},
	{name: "bus.token", env: "MUSTER_BUS_TOKEN", restart: true, meaning: "Token, for NATS, instead of user and password. The embedded server asks its clients for it.",
		field: at(secret(), func(c *Config) *Secret { return &c.Bus.Token })},
	{name: "bus.creds", env: "MUSTER_BUS_CREDS", restart: true, meaning: "File of a user's JWT and seed, for a NATS server in operator mode. Relative names as in `[bus.tls]`.",
		field: at(text(), func(c *Config) *string { return &c.Bus.Creds })},
	{name: "bus.nkey", env: "MUSTER_BUS_NKEY", restart: true, meaning: "File of a user's nkey seed, for NATS.",
		field: at(text(), func(c *Config) *string { return &c.Bus.NKey })},

	{name: "bus.cluster.listen", env: "MUSTER_BUS_CLUSTER_LISTEN", restart: true, meaning: "Address at which the embedded server listens for those of the other managers. Empty: it is alone.",
		field: at(text(), func(c *Config) *string { return &c.Bus.Cluster.Listen })},
	{name: "bus.cluster.name", restart: true, meaning: "Name of the cluster of servers, the same on all of them.",
		field: at(text(), func(c *Config) *string { return &c.Bus.Cluster.Name })},
	{name: "bus.cluster.routes", env: "MUSTER_BUS_CLUSTER_ROUTES", restart: true, meaning: "Addresses (`host:port`) of the others' `bus.cluster.listen`, comma-separated; one that answers names the rest.",
		field: at(text(), func(c *Config) *string { return &c.Bus.Cluster.Routes })},
	{name: "bus.cluster.password", env: "MUSTER_BUS_CLUSTER_PASSWORD", restart: true, meaning: "Password between the servers, the same on all of them.",
		field: at(secret(), func(c *Config) *Secret { return &c.Bus.Cluster.Password })},

	{name: "bus.tls.ca", env: "MUSTER_BUS_TLS_CA", restart: true, meaning: "File of the authorities to trust instead of the system's.",
		field: at(text(), func(c *Config) *string { return &c.Bus.TLS.CA })},
	{name: "bus.tls.cert", env: "MUSTER_BUS_TLS_CERT", restart: true, meaning: "File of the own certificate, and those between it and the authority.",
		field: at(text(), func(c *Config) *string { return &c.Bus.TLS.Cert })},
	{name: "bus.tls.key", env: "MUSTER_BUS_TLS_KEY", restart: true, meaning: "File of the own certificate's key.",
		field: at(text(), func(c *Config) *string { return &c.Bus.TLS.Key })},
	{name: "bus.tls.server_name", env: "MUSTER_BUS_TLS_SERVER_NAME", restart: true, meaning: "Name in the server's certificate, if it is not the host of the URL.",
		field: at(text(), func(c *Config) *string { return &c.Bus.TLS.ServerName })},

	{name: "raft.addr", restart: true, meaning: "Host and port at which the other managers reach this one; also its name among them.",
		field: at(text(), func(c *Config) *string { return &c.Raft.Addr })},
	{name: "raft.listen", restart: true, meaning: "Host and port that this manager listens at for the others, where that is not `addr`: behind a proxy or an address translation, or `0.0.0.0:7400`.",
		field: at(listenOrNot(), func(c *Config) *string { return &c.Raft.Listen })},
	{name: "raft.peers", restart: true, meaning: "Addresses of all managers that form the cluster, this one's among them, parted by commas. One that joins a running cluster names the others only, never forms a cluster, and is let in with `muster managers add`.",
		field: at(text(), func(c *Config) *string { return &c.Raft.Peers })},
	{name: "raft.data", restart: true, meaning: "Directory of the log. Empty: the log is in memory, and a manager that starts again gets everything from the others.",
		field: at(text(), func(c *Config) *string { return &c.Raft.Data })},
	{name: "raft.election_timeout", restart: true, meaning: "How long a leader may be silent: it is replaced after once to twice this time. Five heartbeats come in it. The same for all managers. Longer than the default where managers are far from each other: at least five round trips between them, and `\"1s\"` or more where packets are lost, or elections follow each other without a leader. A leader whose process dies is replaced sooner.",
		field: at(span(50*time.Millisecond, 30*time.Second), func(c *Config) *time.Duration { return &c.Raft.ElectionTimeout })},
	{name: "raft.secret", env: "MUSTER_RAFT_SECRET", restart: true, meaning: "What the managers of the cluster prove to each other that they know: 16 bytes or more, from a random source. Managers that are all on one machine make one up where there is none, in a file that only their user can read.",
		field: at(secret(), func(c *Config) *Secret { return &c.Raft.Secret })},

	{name: "raft.tls.ca", env: "MUSTER_RAFT_TLS_CA", restart: true, meaning: "File of the authority that the certificates of all managers are of.",
		field: at(text(), func(c *Config) *string { return &c.Raft.TLS.CA })},
	{name: "raft.tls.cert", env: "MUSTER_RAFT_TLS_CERT", restart: true, meaning: "File of this manager's certificate, and those between it and the authority.",
		field: at(text(), func(c *Config) *string { return &c.Raft.TLS.Cert })},
	{name: "raft.tls.key", env: "MUSTER_RAFT_TLS_KEY", restart: true, meaning: "File of its key.",
		field: at(text(), func(c *Config) *string { return &c.Raft.TLS.Key })},
	{name: "raft.tls.server_name", env: "MUSTER_RAFT_TLS_SERVER_NAME", restart: true, meaning: "Name in the other managers' certificates, if it is not the host of their addresses.",
		field: at(text(), func(c *Config) *string { return &c.Raft.TLS.ServerName })},

	{name: "placement.debit", meaning: "Load that a placement adds to its worker before the worker reports it: learned per purpose, none (OWT's behaviour), or a fixed one.",
		field: debitField()},
	{name: "placement.debit_floor", meaning: "The least that a learned debit is.",
		field: at(load(), func(c *Config) *float64 { return &c.Debit.Floor })},

	{name: "metrics.addr", env: "MUSTER_METRICS_ADDR", restart: true, meaning: "Host and port of an HTTP server that shows the metrics at `/metrics`. It asks nobody who they are. Empty: none. Port 0: any that is free, which the log names.",
		field: at(listenOrNot(), func(c *Config) *string { return &c.Metrics.Addr })},

	{name: "cascading.enabled", restart: true, meaning: "Whether the cloud at `url` hears of this cluster.",
		field: at(yesNo(), func(c *Config) *bool { return &c.Cascading.Enabled })},
	{name: "cascading.url", restart: true, meaning: "The cloud, `https://host/path`; OWT's `none` is none.",
		field: at(cloud(), func(c *Config) *URL { return &c.Cascading.URL })},
	{name: "cascading.region", restart: true, meaning: "Region of this cluster, as the cloud is told.",
		field: at(text(), func(c *Config) *string { return &c.Cascading.Region })},
	{name: "cascading.clusterID", restart: true, meaning: "What `getClusterID` answers; the cluster's name where it is empty.",
		field: at(text(), func(c *Config) *string { return &c.Cascading.ClusterID })},
	{name: "cascading.ca", restart: true, meaning: "Beyond OWT: file of the authorities to trust instead of the system's. OWT does not verify the cloud at all.",
		field: at(text(), func(c *Config) *string { return &c.Cascading.CA })},
	{name: "cascading.self_ip", restart: true, inert: true, meaning: "OWT 5.1: own address, as other clusters see it.",
		field: at(text(), func(c *Config) *string { return &c.Cascading.SelfIP })},
	{name: "cascading.self_host", restart: true, inert: true, meaning: "OWT 5.1: own host name, likewise.",
		field: at(text(), func(c *Config) *string { return &c.Cascading.SelfHost })},
	{name: "cascading.self_port", restart: true, inert: true, meaning: "OWT 5.1: own port, likewise.",
		field: at(whole(0, 65535), func(c *Config) *int { return &c.Cascading.SelfPort })},
}
