// Package web has the files of the page. They are plain HTML, CSS and ES modules: what
// is served is what is in this directory.
package web

import (
	"embed"
	"io/fs"
)

//go:embed assets
var embedded embed.FS

// Files are the files by the path at which they are served.
var Files = files()

func files() fs.FS {
	sub, err := fs.Sub(embedded, "assets")
	if err != nil {
		panic(err) // the directory is embedded above
	}
	return sub
}
