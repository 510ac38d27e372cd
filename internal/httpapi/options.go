package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/muster-fleet/muster"
	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/client"
	"github.com/muster-fleet/muster/internal/roomtoken"
)

// Cluster is what the API asks; *client.Client is one.
type Cluster interface {
	PageWorkers(context.Context, client.WorkerQuery) (client.WorkerPage, error)
	PageTasks(context.Context, client.TaskQuery) (client.TaskPage, error)
	Schedule(context.Context, client.Request) (muster.Placement, error)
	Release(context.Context, muster.Placement) error
	Why(ctx context.Context, purpose, task string) (muster.Explanation, error)
	Status(context.Context) (client.Status, error)
	Nodes(ctx context.Context, worker string) ([]muster.Node, error)
	ReadLog(ctx context.Context, worker, node string, offset int64) (muster.LogPart, error)
	Drain(context.Context, muster.DrainOrder) (muster.Drain, error)
	Undrain(context.Context, client.Undrain) (muster.Drain, error)
	Drains(context.Context) ([]muster.Drain, error)
	DrainByID(ctx context.Context, id uint64) (muster.Drain, error)
	Cordon(context.Context, client.Cordon) ([]string, error)
	Uncordon(context.Context, client.Cordon) ([]string, error)
	SetStrategy(context.Context, client.SetStrategy) error
	Audit(ctx context.Context, after uint64, limit int) ([]muster.AuditEntry, error)
}

// Queue is where the events come from; a bus.Conn is one.
type Queue interface {
	Subscribe(ctx context.Context, topic, pattern string, l bus.Listener) (bus.Subscription, error)
	Publish(ctx context.Context, topic, key string, body any) error
}

// A Setting is a key of the configuration in force.
type Setting struct {
	Key   string `json:"key" example:"manager.check_alive_count"`
	Value string `json:"value" example:"10"`
	// Origin is where the value comes from, such as "default" or a line of a file.
	Origin string `json:"origin" example:"default"`
}

// Options are what a server is started with. Cluster, Queue and Name are required.
type Options struct {
	Cluster Cluster
	Queue   Queue
	// Name is the cluster's, Manager the address by which the other managers know the
	// one that this server is beside; empty where there is none, or no other.
	Name, Manager string
	Version       string
	// Settings returns the configuration in force; nil leaves it out.
	Settings func() []Setting
	// Metrics answers /metrics; nil leaves it out.
	Metrics http.Handler
	// Ready returns why tasks cannot be placed through the manager that this server is
	// beside, for /readyz; nil where there is none.
	Ready func(context.Context) error
	// RoomKey returns what signs the tokens with which people enter rooms; nil makes none.
	RoomKey func() (roomtoken.Key, error)
	// Auth says who may do what. Nil allows every client everything.
	Auth *Auth
	// CallTime bounds each question to the cluster; 0 means DefaultCallTime.
	CallTime time.Duration
	// Rate is how many requests a second each caller may make, Burst how many at once;
	// 0 means DefaultRate and DefaultBurst.
	Rate  float64
	Burst int
	// Logger hears of what goes wrong. Nil means none.
	Logger *slog.Logger
}

// The defaults of Options.
const (
	DefaultCallTime = 3 * time.Second
	DefaultRate     = 200
	DefaultBurst    = 400
)

func (o Options) withDefaults() Options {
	if o.CallTime <= 0 {
		o.CallTime = DefaultCallTime
	}
	if o.Rate <= 0 {
		o.Rate = DefaultRate
	}
	if o.Burst <= 0 {
		o.Burst = DefaultBurst
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate returns what is wrong, by the name of the field.
func (o Options) Validate() error {
	switch {
	case o.Cluster == nil:
		return errors.New("httpapi: Cluster must be set")
	case o.Queue == nil:
		return errors.New("httpapi: Queue must be set")
	case o.Name == "":
		return errors.New("httpapi: Name must be set")
	}
	return nil
}
