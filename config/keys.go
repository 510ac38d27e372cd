package config

import (
	"time"

	"github.com/muster-fleet/muster/internal/state"
)

// The sections, in the order of the manual.
var sections = []section{
	{name: "manager", meaning: "The manager itself. Numbers are milliseconds, as in OWT."},
	{name: "strategy", meaning: "The strategy that picks one of the eligible workers, by purpose. Any purpose may be named."},
	{name: "rabbit", meaning: "RabbitMQ. The section alone, even if empty, makes the manager use RabbitMQ."},
	{name: "bus", meaning: "The message queue, unless there is a section `[rabbit]`."},
	{name: "bus.tls", meaning: "TLS, for every kind of queue. A relative file name in the configuration file starts from the file's directory, one from a flag or the environment from the working directory. The embedded server presents `cert`, and requires client certificates if there is a `ca`. Verification cannot be turned off: set `ca` to the authority, and `server_name` to the name in the certificate."},
	{name: "bus.cluster", meaning: "The embedded servers of several managers form one queue, so that it needs no machine of its own: see docs/three-machines.md. With `cert`, `key` and `ca` in `[bus.tls]` the servers also authenticate each other by certificate."},
	{name: "raft", meaning: "Several managers that agree by Raft. Without `addr` the manager is alone."},
	{name: "raft.tls", meaning: "Mutual TLS between the managers, with `raft.secret` or instead of it. `ca`, `cert` and `key` belong together; relative names as in `[bus.tls]`. A certificate is valid for servers and for clients, and issued to the host or IP of the manager's `raft.addr`, or all of them to one `server_name`."},
	{name: "placement", meaning: "Placement, beyond OWT."},
	{name: "metrics", meaning: "Metrics of the manager, for Prometheus."},
	{name: "http", meaning: "The page and the API, over HTTP."},
	{name: "http.tls", meaning: "TLS of the page and the API. With `ca`, callers may show a client certificate of that authority instead of a token: see docs/http.md. Relative names as in `[bus.tls]`."},
	{name: "trace", meaning: "Traces of placements and of what follows from them, for OpenTelemetry: see docs/traces.md. Every program of the cluster has its own settings."},
	{name: "labels", meaning: "Labels of the workers that this process starts, one per key."},
	{name: "rooms", meaning: "Rooms: see docs/rooms.md."},
	{name: "cascading", meaning: "OWT's cascading of clusters: the leader reports this cluster to a cloud that hands clients to one of several (docs/owt.md). Keys of other OWT versions are accepted."},
}

type section struct{ name, meaning string }

// key is one line of the manual.
type key struct {
	name    string
	meaning string
	// env is the environment variable that overrides it, if any.
	env string
	// restart is set if a change takes effect only in a new process.
	restart bool
	// inert is set if OWT knows the key and Muster ignores it.
	inert bool
	field
}

const (
	day  = 24 * time.Hour
	most = state.MaxReserveMillis * time.Millisecond
)

// keys are the keys with a fixed name. lookup makes those of [strategy] and
// [labels], whose names are the user's choice.
var keys = []key{
	{name: "manager.name", restart: true, meaning: "Name of the cluster, and of the manager's queue.",
		field: at(name(), func(c *Config) *string { return &c.Manager.Name })},
	{name: "manager.initial_time", meaning: "How long a new manager waits for workers to join before it places tasks. 0: it does not wait.",
		field: at(span(0, day), func(c *Config) *time.Duration { return &c.Manager.InitialTime })},
	{name: "manager.check_alive_interval", meaning: "How often the manager checks the workers' keep-alives.",
		field: at(span(10*time.Millisecond, time.Hour), func(c *Config) *time.Duration { return &c.Manager.CheckAliveInterval })},
	{name: "manager.check_alive_count", meaning: "How many checks in a row a worker may miss; at the next one it is evicted.",
		field: at(whole(1, 1_000_000), func(c *Config) *int { return &c.Manager.CheckAliveCount })},
	{name: "manager.max_silent_share", meaning: "Beyond OWT: if more than ten workers, and more than this share of all, are silent at the same check, none is evicted, because the message queue is more likely to have failed than all of them. 1: no limit.",
		field: at(load(), func(c *Config) *float64 { return &c.Manager.MaxSilentShare })},
	{name: "manager.recheck_share", meaning: "Beyond OWT: after a time in which no worker could be heard, or eviction was suspended, at most this share of the workers, and at least one, is evicted at each check. 1: no limit.",
		field: at(load(), func(c *Config) *float64 { return &c.Manager.RecheckShare })},
	{name: "manager.stale_after", meaning: "Beyond OWT: how long the managers may be without a leader before they answer look-ups from the last state, marked as stale; everything else waits. OWT's programs wait for 2 seconds. 0: never. Not with `replica = \"owt\"`.",
		field: at(span(0, time.Hour), func(c *Config) *time.Duration { return &c.Manager.StaleAfter })},
	{name: "manager.schedule_reserve_time", meaning: "How long a worker is reserved for a task if the request does not say.",
		field: at(span(time.Millisecond, most), func(c *Config) *time.Duration { return &c.Manager.ReserveTime })},
	{name: "manager.replica", restart: true, meaning: "How several managers agree: `raft` (with `raft.addr`), or `owt`, OWT's own protocol of 4.2 to 5.1, beside its Node.js managers; those of its master branch use another. `auto`: Raft if `raft.addr` is set, else the manager is alone.",
		field: at(choice("auto", "raft", "owt"), func(c *Config) *string { return &c.Manager.Replica })},
	{name: "manager.enable_grpc", restart: true, meaning: "OWT 5.1: must not be true. Muster uses the message queue only.",
		field: at(yesNo(), func(c *Config) *bool { return &c.Manager.EnableGRPC })},
	{name: "manager.totalNode", restart: true, inert: true, meaning: "OWT's master branch: number of managers.",
		field: at(whole(1, 1000), func(c *Config) *int { return &c.Manager.TotalNode })},
	{name: "manager.electTimeout", restart: true, inert: true, meaning: "OWT's master branch: how long a manager waits before it starts an election.",
		field: at(span(0, time.Hour), func(c *Config) *time.Duration { return &c.Manager.ElectTimeout })},

	{name: "strategy.general", meaning: "Strategy of every purpose that is not listed.",
		field: at(strategy(), strategyGeneral)},

	{name: "rabbit.host", restart: true, meaning: "Host of RabbitMQ.",
		field: at(host(), func(c *Config) *string { return &c.Rabbit.Host })},
	{name: "rabbit.port", restart: true, meaning: "Port of RabbitMQ.",
		field: at(whole(1, 65535), func(c *Config) *int { return &c.Rabbit.Port })},
	{name: "rabbit.username", restart: true, meaning: "User; RabbitMQ's `guest` if empty. `bus.user` takes precedence.",
		field: at(text(), func(c *Config) *string { return &c.Rabbit.Username })},
	{name: "rabbit.login", restart: true, meaning: "The same, under the name of older OWT versions. `username` takes precedence.",
		field: at(text(), func(c *Config) *string { return &c.Rabbit.Login })},
	{name: "rabbit.password", restart: true, meaning: "Password; `guest` if empty. `bus.password` takes precedence.",
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

	{name: "bus.url", env: "MUSTER_BUS_URL", restart: true, meaning: "Message queue: `nats://`, `tls://` (NATS), `amqp://` or `amqps://`; a comma-separated list names the servers of one cluster. Empty: a NATS server inside the manager. From a flag or the environment it takes precedence over `[rabbit]`; from the file it does not.",
		field: at(address(), func(c *Config) *URL { return &c.Bus.URL })},
	{name: "bus.listen", env: "MUSTER_BUS_LISTEN", restart: true, meaning: "Address of the NATS server inside the manager.",
		field: at(listen(), func(c *Config) *string { return &c.Bus.Listen })},
	{name: "bus.user", env: "MUSTER_BUS_USER", restart: true, meaning: "User, for every kind of queue. The embedded server requires it of its clients.",
		field: at(text(), func(c *Config) *string { return &c.Bus.User })},
	{name: "bus.password", env: "MUSTER_BUS_PASSWORD", restart: true, meaning: "Password, in the same way.",
		field: at(secret(), func(c *Config) *Secret { return &c.Bus.Password })},
	{name: "bus.token", env: "MUSTER_BUS_TOKEN", restart: true, meaning: "Token, for NATS, instead of user and password. The embedded server requires it of its clients.",
		field: at(secret(), func(c *Config) *Secret { return &c.Bus.Token })},
	{name: "bus.creds", env: "MUSTER_BUS_CREDS", restart: true, meaning: "File with a user's JWT and seed, for a NATS server in operator mode. Relative names as in `[bus.tls]`.",
		field: at(text(), func(c *Config) *string { return &c.Bus.Creds })},
	{name: "bus.nkey", env: "MUSTER_BUS_NKEY", restart: true, meaning: "File with a user's nkey seed, for NATS.",
		field: at(text(), func(c *Config) *string { return &c.Bus.NKey })},
	{name: "bus.credentials", env: "MUSTER_BUS_CREDENTIALS", restart: true, meaning: "File with the credentials of a user of a manager's server that has `bus.users`, written by `muster auth add`. Relative names as in `[bus.tls]`.",
		field: at(text(), func(c *Config) *string { return &c.Bus.Credentials })},
	{name: "bus.users", env: "MUSTER_BUS_USERS", restart: true, meaning: "File with the users that the embedded server lets in, each with the rights of its role, made by `muster auth`; SIGHUP reads it again. Empty: `bus.user` or `bus.token` lets in, with all rights. See docs/queue-users.md.",
		field: at(text(), func(c *Config) *string { return &c.Bus.Users })},

	{name: "bus.cluster.listen", env: "MUSTER_BUS_CLUSTER_LISTEN", restart: true, meaning: "Address at which the embedded server listens for the other managers' servers. Empty: no cluster.",
		field: at(text(), func(c *Config) *string { return &c.Bus.Cluster.Listen })},
	{name: "bus.cluster.name", restart: true, meaning: "Name of the cluster of servers, the same on all of them.",
		field: at(text(), func(c *Config) *string { return &c.Bus.Cluster.Name })},
	{name: "bus.cluster.routes", env: "MUSTER_BUS_CLUSTER_ROUTES", restart: true, meaning: "Comma-separated addresses (`host:port`) of the others' `bus.cluster.listen`; a server that answers names the rest.",
		field: at(text(), func(c *Config) *string { return &c.Bus.Cluster.Routes })},
	{name: "bus.cluster.password", env: "MUSTER_BUS_CLUSTER_PASSWORD", restart: true, meaning: "Password that the servers use among themselves, the same on all of them.",
		field: at(secret(), func(c *Config) *Secret { return &c.Bus.Cluster.Password })},

	{name: "bus.tls.ca", env: "MUSTER_BUS_TLS_CA", restart: true, meaning: "File with the authorities to trust instead of the system's.",
		field: at(text(), func(c *Config) *string { return &c.Bus.TLS.CA })},
	{name: "bus.tls.cert", env: "MUSTER_BUS_TLS_CERT", restart: true, meaning: "File with this program's certificate and the intermediate ones.",
		field: at(text(), func(c *Config) *string { return &c.Bus.TLS.Cert })},
	{name: "bus.tls.key", env: "MUSTER_BUS_TLS_KEY", restart: true, meaning: "File with the certificate's private key.",
		field: at(text(), func(c *Config) *string { return &c.Bus.TLS.Key })},
	{name: "bus.tls.server_name", env: "MUSTER_BUS_TLS_SERVER_NAME", restart: true, meaning: "Name in the server's certificate, if it is not the host of the URL.",
		field: at(text(), func(c *Config) *string { return &c.Bus.TLS.ServerName })},

	{name: "raft.addr", restart: true, meaning: "Host and port at which the other managers reach this one. It also identifies this manager in the cluster.",
		field: at(text(), func(c *Config) *string { return &c.Raft.Addr })},
	{name: "raft.listen", restart: true, meaning: "Host and port at which this manager listens for the others, if not at `addr`: behind a proxy or an address translation, or `0.0.0.0:7400`.",
		field: at(listenOrNot(), func(c *Config) *string { return &c.Raft.Listen })},
	{name: "raft.peers", restart: true, meaning: "Comma-separated addresses of all managers that form the cluster, including this one. A manager that joins a running cluster names only the others, never forms a cluster, and is added with `muster managers add`.",
		field: at(text(), func(c *Config) *string { return &c.Raft.Peers })},
	{name: "raft.data", restart: true, meaning: "Directory of the log. Empty: the log is in memory, and a manager that restarts gets everything from the others.",
		field: at(text(), func(c *Config) *string { return &c.Raft.Data })},
	{name: "raft.election_timeout", restart: true, meaning: "How long a leader may be silent: it is replaced after one to two times this long. It sends five heartbeats in this time. Use the same value on all managers. Raise it if managers are far apart, to at least five round trips between them, and to `\"1s\"` or more if packets are lost; otherwise elections may repeat without electing a leader. A leader whose process dies is replaced sooner.",
		field: at(span(50*time.Millisecond, 30*time.Second), func(c *Config) *time.Duration { return &c.Raft.ElectionTimeout })},
	{name: "raft.secret", env: "MUSTER_RAFT_SECRET", restart: true, meaning: "Shared secret by which the managers of the cluster authenticate each other: 16 bytes or more, from a random source. Managers that are all on one machine generate one if it is empty, in a file that only their user can read.",
		field: at(secret(), func(c *Config) *Secret { return &c.Raft.Secret })},

	{name: "raft.tls.ca", env: "MUSTER_RAFT_TLS_CA", restart: true, meaning: "File with the authority that issued the certificates of all managers.",
		field: at(text(), func(c *Config) *string { return &c.Raft.TLS.CA })},
	{name: "raft.tls.cert", env: "MUSTER_RAFT_TLS_CERT", restart: true, meaning: "File with this manager's certificate and the intermediate ones.",
		field: at(text(), func(c *Config) *string { return &c.Raft.TLS.Cert })},
	{name: "raft.tls.key", env: "MUSTER_RAFT_TLS_KEY", restart: true, meaning: "File with the certificate's private key.",
		field: at(text(), func(c *Config) *string { return &c.Raft.TLS.Key })},
	{name: "raft.tls.server_name", env: "MUSTER_RAFT_TLS_SERVER_NAME", restart: true, meaning: "Name in the other managers' certificates, if it is not the host of their addresses.",
		field: at(text(), func(c *Config) *string { return &c.Raft.TLS.ServerName })},

	{name: "placement.debit", meaning: "Load that a placement adds to its worker until the worker reports it: learned per purpose, none (OWT's behaviour), or a fixed value.",
		field: debitField()},
	{name: "placement.debit_floor", meaning: "Lower bound of a learned debit.",
		field: at(load(), func(c *Config) *float64 { return &c.Debit.Floor })},

	{name: "metrics.addr", env: "MUSTER_METRICS_ADDR", restart: true, meaning: "Host and port of an HTTP server that serves the metrics at `/metrics`, without authentication. Empty: none. Port 0: any free port, which is logged.",
		field: at(listenOrNot(), func(c *Config) *string { return &c.Metrics.Addr })},

	{name: "trace.otlp", env: "MUSTER_TRACE_OTLP", restart: true, meaning: "URL of a collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`. Empty: that of `OTEL_EXPORTER_OTLP_ENDPOINT`, or no traces if that is not set either.",
		field: at(otlp(), func(c *Config) *URL { return &c.Trace.OTLP })},
	{name: "trace.share", env: "MUSTER_TRACE_SHARE", restart: true, meaning: "Share of the traces that this process begins which are recorded. A trace that another program began is recorded if that program does.",
		field: at(load(), func(c *Config) *float64 { return &c.Trace.Share })},

	{name: "rooms.key", env: "MUSTER_ROOMS_KEY", restart: true, meaning: "Signs the [tokens of rooms](rooms.md#tokens) and the credentials of [TURN](rooms.md#turn): 16 bytes or more, from a random source, the same for all portals, for SFUs with TURN and for `muster token`. Empty: the secret that the managers of this machine share.",
		field: at(secret(), func(c *Config) *Secret { return &c.Rooms.Key })},
	{name: "http.addr", env: "MUSTER_HTTP_ADDR", restart: true, meaning: "Host and port at which the page and the [API](http.md) are served. Empty: none. Port 0: any free port, which is logged.",
		field: at(listenOrNot(), func(c *Config) *string { return &c.HTTP.Addr })},
	{name: "http.tokens", env: "MUSTER_HTTP_TOKENS", restart: true, meaning: "File with the tokens of the callers, made by `muster auth`; SIGHUP reads it again. Empty: no token is required, and only this machine is served.",
		field: at(text(), func(c *Config) *string { return &c.HTTP.Tokens })},
	{name: "http.insecure", restart: true, meaning: "Whether to serve other machines without requiring a token.",
		field: at(yesNo(), func(c *Config) *bool { return &c.HTTP.Insecure })},
	{name: "http.tls.cert", env: "MUSTER_HTTP_TLS_CERT", restart: true, meaning: "File with the server's certificate and the intermediate ones. Empty: HTTP without TLS.",
		field: at(text(), func(c *Config) *string { return &c.HTTP.TLS.Cert })},
	{name: "http.tls.key", env: "MUSTER_HTTP_TLS_KEY", restart: true, meaning: "File with the certificate's private key.",
		field: at(text(), func(c *Config) *string { return &c.HTTP.TLS.Key })},
	{name: "http.tls.ca", env: "MUSTER_HTTP_TLS_CA", restart: true, meaning: "File with the authority of the client certificates that may stand for a token. Empty: tokens only.",
		field: at(text(), func(c *Config) *string { return &c.HTTP.TLS.CA })},

	{name: "cascading.enabled", restart: true, meaning: "Whether this cluster is reported to the cloud at `url`.",
		field: at(yesNo(), func(c *Config) *bool { return &c.Cascading.Enabled })},
	{name: "cascading.url", restart: true, meaning: "URL of the cloud, `https://host/path`, or `none`, as in OWT.",
		field: at(cloud(), func(c *Config) *URL { return &c.Cascading.URL })},
	{name: "cascading.region", restart: true, meaning: "Region of this cluster, as reported to the cloud.",
		field: at(text(), func(c *Config) *string { return &c.Cascading.Region })},
	{name: "cascading.clusterID", restart: true, meaning: "Result of `getClusterID`; the cluster's name if empty.",
		field: at(text(), func(c *Config) *string { return &c.Cascading.ClusterID })},
	{name: "cascading.ca", restart: true, meaning: "Beyond OWT: file with the authorities to trust instead of the system's. OWT does not verify the cloud at all.",
		field: at(text(), func(c *Config) *string { return &c.Cascading.CA })},
	{name: "cascading.self_ip", restart: true, inert: true, meaning: "OWT 5.1: address of this cluster, as other clusters see it.",
		field: at(text(), func(c *Config) *string { return &c.Cascading.SelfIP })},
	{name: "cascading.self_host", restart: true, inert: true, meaning: "OWT 5.1: host name of this cluster, as other clusters see it.",
		field: at(text(), func(c *Config) *string { return &c.Cascading.SelfHost })},
	{name: "cascading.self_port", restart: true, inert: true, meaning: "OWT 5.1: port of this cluster, as other clusters see it.",
		field: at(whole(0, 65535), func(c *Config) *int { return &c.Cascading.SelfPort })},
}
