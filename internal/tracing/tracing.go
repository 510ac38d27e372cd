// Package tracing sends what a process records to a collector of OpenTelemetry,
// by OTLP over HTTP. Package span says what is recorded.
package tracing

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/muster-fleet/muster/internal/span"
)

// stopTime bounds how long the end of a process waits for the collector.
const stopTime = 2 * time.Second

// Options say what is recorded, and where it goes.
type Options struct {
	// URL is the collector's. Empty: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or
	// OTEL_EXPORTER_OTLP_ENDPOINT; nothing is recorded without any.
	URL string
	// Share of the traces that begin here, from 0 to 1.
	Share float64
	// Service is what the process is called, unless OTEL_SERVICE_NAME says so.
	Service, Version string
	// Logger hears of what could not be sent. Nil means standard error, in a line.
	Logger *slog.Logger
}

var (
	mu       sync.Mutex
	provider *sdk.TracerProvider // nil while nothing is recorded
)

// Start begins to record, if there is a collector. Only the first call of a process
// counts.
func Start(o Options) {
	mu.Lock()
	defer mu.Unlock()
	to := o.collector()
	if provider != nil || to == "" {
		return
	}
	opts := []sdk.TracerProviderOption{sdk.WithBatcher(newExporter(to)), sdk.WithResource(o.resource())}
	if o.Share < 1 {
		opts = append(opts, sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(o.Share))))
	}
	provider = sdk.NewTracerProvider(opts...)
	otel.SetTracerProvider(provider)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(o.failed))
}

// collector is where spans go, "" for nowhere.
func (o Options) collector() string {
	switch own := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); {
	case os.Getenv("OTEL_SDK_DISABLED") == "true", os.Getenv("OTEL_TRACES_EXPORTER") == "none":
		return ""
	case o.URL != "":
		return tracesOf(o.URL)
	case own != "":
		return own
	}
	return tracesOf(os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
}

// tracesOf completes the URL of a collector by the path for traces.
func tracesOf(collector string) string {
	u, err := url.Parse(collector)
	if err != nil || collector == "" || strings.Trim(u.Path, "/") != "" {
		return collector
	}
	return u.JoinPath("v1/traces").String()
}

func (o Options) resource() *resource.Resource {
	host, _ := os.Hostname()
	return resource.NewSchemaless(
		attribute.String("service.name", cmp.Or(os.Getenv("OTEL_SERVICE_NAME"), strings.ReplaceAll(o.Service, " ", "-"))),
		attribute.String("service.version", o.Version),
		attribute.String("host.name", host),
		attribute.Int("process.pid", os.Getpid()),
	)
}

// failed hears of spans that were not sent.
func (o Options) failed(err error) {
	if o.Logger != nil {
		o.Logger.Warn("traces not sent", "err", err)
		return
	}
	_, _ = fmt.Fprintf(os.Stderr, "muster: traces not sent: %v\n", err)
}

// Tracer records for the manager; nil while nothing is recorded.
func Tracer() trace.Tracer {
	mu.Lock()
	defer mu.Unlock()
	if provider == nil {
		return nil
	}
	return provider.Tracer(span.Scope)
}

// Stop sends what is recorded and not sent yet. It belongs at the end of a process.
func Stop() {
	mu.Lock()
	defer mu.Unlock()
	if provider == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
	provider = nil
}
