package tracing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	wire "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// exporter sends spans by OTLP over HTTP. OpenTelemetry's own exporter links gRPC,
// which makes the start of each verb a twentieth longer.
type exporter struct {
	url    string
	header http.Header
	client http.Client
}

func newExporter(to string) *exporter {
	e := &exporter{url: to, header: http.Header{"Content-Type": {"application/x-protobuf"}}}
	for pair := range strings.SplitSeq(os.Getenv("OTEL_EXPORTER_OTLP_HEADERS"), ",") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			if plain, err := url.PathUnescape(strings.TrimSpace(value)); err == nil {
				e.header.Set(strings.TrimSpace(name), plain)
			}
		}
	}
	return e
}

// ExportSpans implements sdk.SpanExporter.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	body, err := proto.Marshal(requestOf(spans))
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = e.header
	answer, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(answer.Body, 200))
		return fmt.Errorf("%s answers %s: %s", e.url, answer.Status, said)
	}
	_, err = io.Copy(io.Discard, answer.Body) // so that the connection is used again
	return err
}

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

// requestOf puts spans of this process into OTLP's words.
func requestOf(spans []sdk.ReadOnlySpan) *collector.ExportTraceServiceRequest {
	scopes := map[string]*wire.ScopeSpans{}
	all := &wire.ResourceSpans{Resource: &resource.Resource{Attributes: attributesOf(spans[0].Resource().Attributes())}}
	for _, s := range spans {
		name := s.InstrumentationScope().Name
		if scopes[name] == nil {
			scopes[name] = &wire.ScopeSpans{Scope: &common.InstrumentationScope{Name: name}}
			all.ScopeSpans = append(all.ScopeSpans, scopes[name])
		}
		scopes[name].Spans = append(scopes[name].Spans, spanOf(s))
	}
	return &collector.ExportTraceServiceRequest{ResourceSpans: []*wire.ResourceSpans{all}}
}

func spanOf(s sdk.ReadOnlySpan) *wire.Span {
	own, parent := s.SpanContext(), s.Parent()
	trace, id, above := own.TraceID(), own.SpanID(), parent.SpanID()
	out := &wire.Span{
		TraceId: trace[:], SpanId: id[:], TraceState: own.TraceState().String(), Flags: flagsOf(own, parent),
		Name: s.Name(), Kind: wire.Span_SpanKind(s.SpanKind()), // the same numbers
		StartTimeUnixNano: uint64(s.StartTime().UnixNano()), EndTimeUnixNano: uint64(s.EndTime().UnixNano()),
		Attributes: attributesOf(s.Attributes()), DroppedAttributesCount: uint32(s.DroppedAttributes()),
		Status: &wire.Status{Code: statusCodes[s.Status().Code.String()], Message: s.Status().Description},
	}
	if above.IsValid() {
		out.ParentSpanId = above[:]
	}
	return out
}

// statusCodes differ in their numbers between OpenTelemetry's Go API and OTLP.
var statusCodes = map[string]wire.Status_StatusCode{
	"Unset": wire.Status_STATUS_CODE_UNSET, "Ok": wire.Status_STATUS_CODE_OK, "Error": wire.Status_STATUS_CODE_ERROR,
}

func flagsOf(own, parent trace.SpanContext) uint32 {
	flags := uint32(own.TraceFlags()) | uint32(wire.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	if parent.IsRemote() {
		flags |= uint32(wire.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	}
	return flags
}

// attributesOf knows the types that Muster's attributes have: texts, and numbers.
func attributesOf(list []attribute.KeyValue) []*common.KeyValue {
	out := make([]*common.KeyValue, 0, len(list))
	for _, a := range list {
		value := &common.AnyValue{}
		if a.Value.Type() == attribute.INT64 {
			value.Value = &common.AnyValue_IntValue{IntValue: a.Value.AsInt64()}
		} else {
			value.Value = &common.AnyValue_StringValue{StringValue: a.Value.String()}
		}
		out = append(out, &common.KeyValue{Key: string(a.Key), Value: value})
	}
	return out
}
