package portal

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"

	"github.com/muster-fleet/muster/internal/room"
)

//go:embed page
var pages embed.FS

// policy is what the page may do: its own scripts and styles, and connections
// to any portal.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; " +
	"connect-src 'self' ws: wss:; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (p *Portal) handler() *http.ServeMux {
	files, err := fs.Sub(pages, "page")
	if err != nil {
		panic(err) // the directory is in the program
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.page)
	mux.HandleFunc("GET /r/{room}", p.page)
	mux.Handle("GET /page/", http.StripPrefix("/page/", assets(http.FileServerFS(files))))
	mux.HandleFunc("GET /socket", p.serveSocket)
	mux.HandleFunc("POST /recording/{room}", p.ordering(room.Recording, true))
	mux.HandleFunc("DELETE /recording/{room}", p.ordering(room.Recording, false))
	mux.HandleFunc("POST /stream/{room}", p.ordering(room.Streaming, true))
	mux.HandleFunc("DELETE /stream/{room}", p.ordering(room.Streaming, false))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	for _, kind := range []string{"whip", "whep"} {
		mux.HandleFunc("POST /"+kind+"/{room}", p.endpoint(kind))
		mux.HandleFunc("OPTIONS /"+kind+"/{room}", p.options)
		mux.HandleFunc("DELETE /"+kind+"/{room}/{id}", p.endResource)
		mux.HandleFunc("OPTIONS /"+kind+"/{room}/{id}", p.options)
	}
	return mux
}

// page is the page of a room. The token is behind the # of its link, which
// browsers keep to themselves.
func (p *Portal) page(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self)")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	http.ServeFileFS(w, r, pages, "page/room.html")
}

func assets(files http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") || r.URL.Path == "" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}
