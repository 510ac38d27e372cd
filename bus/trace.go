package bus

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// TraceContext is the W3C trace context of a request: it joins what sender and
// server record to one trace. OWT's programs ignore it. It is zero for a request
// that is not traced.
type TraceContext struct {
	// Parent and State are what HTTP has in the headers traceparent and tracestate.
	Parent, State string
}

// maxTraceState is the longest tracestate that is passed on, in bytes, as W3C has
// it.
const maxTraceState = 512

// TraceOf returns the trace context of the span in ctx.
func TraceOf(ctx context.Context) TraceContext {
	var t TraceContext
	if trace.SpanContextFromContext(ctx).IsValid() {
		propagation.TraceContext{}.Inject(ctx, &t)
	}
	return t
}

// In returns ctx with the sender's span as the parent of the spans to come; ctx
// itself if there is none, or it cannot be read.
func (t TraceContext) In(ctx context.Context) context.Context {
	if t.Parent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, &t)
}

// Get implements propagation.TextMapCarrier, as Set and Keys do.
func (t *TraceContext) Get(key string) string {
	switch key {
	case "traceparent":
		return t.Parent
	case "tracestate":
		return t.State
	}
	return ""
}

// Set sets one of the two.
func (t *TraceContext) Set(key, value string) {
	switch key {
	case "traceparent":
		t.Parent = value
	case "tracestate":
		if len(value) <= maxTraceState {
			t.State = value
		}
	}
}

// Keys lists both.
func (t *TraceContext) Keys() []string { return []string{"traceparent", "tracestate"} }
