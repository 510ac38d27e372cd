package main

import (
	"log/slog"

	"github.com/muster-fleet/muster/config"
	"github.com/muster-fleet/muster/internal/tracing"
)

// recordTraces has this process record traces under that name from now on, if the
// settings or OpenTelemetry's own variables say where to send them.
func recordTraces(cfg *config.Config, name string, log *slog.Logger) {
	tracing.Start(tracing.Options{
		URL: cfg.Trace.OTLP.Reveal(), Share: cfg.Trace.Share, Service: name, Version: version, Logger: log,
	})
}
