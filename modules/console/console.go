// Package console serves the operators' page, /admin/ui: a few files that are part of the binary. They hold no data and need no
// key. The page asks the API under /admin with the key that an operator gives it, in a header and in no cookie, so that no other
// page can act in an operator's name.
package console

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/danielgtaylor/huma/v2"
)

// Path is where the page is.
const Path = "/admin/ui"

// policy lets the page load its own script and style, ask its own server, and nothing else; and no page may frame it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// files are what `make web` writes from the sources in web.
//
//go:embed dist
var files embed.FS

// contentTypes are those of the files, by their paths below Path.
var contentTypes = map[string]string{
	"":          "text/html; charset=utf-8",
	"/app.js":   "text/javascript; charset=utf-8",
	"/app.css":  "text/css; charset=utf-8",
	"/icon.svg": "image/svg+xml",
}

// Register adds the page to the router.
func Register(router *httpapi.Router) {
	for path, contentType := range contentTypes {
		name := "dist" + path
		if path == "" {
			name = "dist/index.html"
		}
		serve(router, Path+path, func(w http.ResponseWriter, _ *http.Request) {
			content, err := fs.ReadFile(files, name)
			if err != nil {
				http.Error(w, "this binary was built without "+name, http.StatusInternalServerError)
				return
			}
			protect(w.Header())
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(content) // the browser is gone: nobody is left to tell
		})
	}
	serve(router, Path+"/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "../ui") // below whatever prefix a proxy puts before it
		w.WriteHeader(http.StatusPermanentRedirect)
	})
}

func serve(router *httpapi.Router, path string, handler http.HandlerFunc) {
	router.Handle(huma.Operation{Method: http.MethodGet, Path: path, Hidden: true}, handler)
}

// protect sets the headers that keep other pages, and other scripts, out of this one.
func protect(header http.Header) {
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Frame-Options", "DENY")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-cache")
}
