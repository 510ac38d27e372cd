package httpapi

import (
	"net/http"
	"net/http/pprof"
)

// profiles are the profiles of this process, as net/http/pprof serves them. Where
// no token is needed they are for this machine only: taking one costs time, and it
// shows how the process was started.
func (s *Server) profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.opts.Auth == nil && !isLoopback(r.RemoteAddr) {
			s.measures.denied.Inc()
			problem(w, http.StatusForbidden, "without tokens profiles are for this machine only")
			return
		}
		mux.ServeHTTP(w, r)
	})
}
