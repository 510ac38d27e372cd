// Package span records what a part of Muster does as spans of OpenTelemetry, in
// programs that have set it up: "muster" where trace.otlp is set, others with
// otel.SetTracerProvider.
package span

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Scope is the name under which Muster records.
const Scope = "github.com/muster-fleet/muster"

// Names of attributes.
const (
	Purpose   = "muster.purpose"
	Task      = "muster.task"
	Worker    = "muster.worker"
	Node      = "muster.node"
	Placement = "muster.placement"
)

var tracer = otel.Tracer(Scope)

// The kinds: who asks, who answers, and what goes on within a program.
const (
	Client   = trace.SpanKindClient
	Server   = trace.SpanKindServer
	Internal = trace.SpanKindInternal
)

// In reports whether ctx has a span, so that others belong below it.
func In(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsValid() }

// Below begins a span below that of ctx, and does nothing without one: a caller that
// records nothing pays nothing. end takes the error with which it ends. Pairs are the
// names and values of attributes.
func Below(ctx context.Context, kind trace.SpanKind, name string, pairs ...string) (_ context.Context, end func(error)) {
	if !In(ctx) {
		return ctx, func(error) {}
	}
	return Begin(ctx, kind, name, pairs...)
}

// Begin is Below for what begins a trace where ctx has none.
func Begin(ctx context.Context, kind trace.SpanKind, name string, pairs ...string) (_ context.Context, end func(error)) {
	ctx, s := tracer.Start(ctx, name, trace.WithSpanKind(kind))
	Set(ctx, pairs...)
	return ctx, func(err error) { End(s, err) }
}

// Set adds attributes to the span of ctx.
func Set(ctx context.Context, pairs ...string) {
	s := trace.SpanFromContext(ctx)
	if !s.IsRecording() {
		return
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			s.SetAttributes(attribute.String(pairs[i], pairs[i+1]))
		}
	}
}

// End ends a span, with an error or nil.
func End(s trace.Span, err error) {
	if err != nil {
		s.SetStatus(codes.Error, err.Error())
	}
	s.End()
}

// Outside returns ctx without its span, for what is asked again and again.
func Outside(ctx context.Context) context.Context { return trace.ContextWithSpan(ctx, nil) }
