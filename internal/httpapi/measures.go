package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/muster-fleet/muster/bus"
	"github.com/muster-fleet/muster/internal/span"
)

// measures is what the server counts. The label route is one of its own patterns, so
// that callers cannot make up series.
type measures struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	limited  prometheus.Counter
	denied   prometheus.Counter
	streams  prometheus.GaugeFunc
	missed   prometheus.Counter
}

func newMeasures(h *hub) *measures {
	return &measures{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "muster_http_requests_total",
			Help: "HTTP requests, by route and status."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "muster_http_request_seconds",
			Help: "How long HTTP requests took, streams aside.", Buckets: []float64{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3}}, []string{"route"}),
		limited: prometheus.NewCounter(prometheus.CounterOpts{Name: "muster_http_limited_total",
			Help: "HTTP requests refused since their caller asked too often."}),
		denied: prometheus.NewCounter(prometheus.CounterOpts{Name: "muster_http_denied_total",
			Help: "HTTP requests refused for lack of a token or a role."}),
		streams: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "muster_http_streams",
			Help: "Open streams of events."}, func() float64 { return float64(h.listeners()) }),
		missed: prometheus.NewCounter(prometheus.CounterOpts{Name: "muster_http_history_missed_total",
			Help: "Samples of the last hour that could not be taken."}),
	}
}

func (m *measures) all() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.seconds, m.limited, m.denied, m.streams, m.missed}
}

// Describe is for prometheus.Collector.
func (s *Server) Describe(out chan<- *prometheus.Desc) {
	for _, c := range s.measures.all() {
		c.Describe(out)
	}
}

// Collect is for prometheus.Collector.
func (s *Server) Collect(out chan<- prometheus.Metric) {
	for _, c := range s.measures.all() {
		c.Collect(out)
	}
}

// traced passes the trace of a caller on that has one (the header traceparent).
func traced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sender := bus.TraceContext{Parent: r.Header.Get("traceparent"), State: r.Header.Get("tracestate")}
		ctx, end := span.Below(sender.In(r.Context()), span.Server, r.Method+" "+r.URL.Path)
		next.ServeHTTP(w, r.WithContext(ctx))
		end(nil)
	})
}

// measured counts requests by the pattern that they matched.
func (s *Server) measured(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		mux.ServeHTTP(seen, r)
		route := r.Pattern
		if route == "" {
			route = "none"
		}
		s.measures.requests.WithLabelValues(route, strconv.Itoa(seen.status)).Inc()
		if route != "GET /v1/events" {
			s.measures.seconds.WithLabelValues(route).Observe(time.Since(begin).Seconds())
		}
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
