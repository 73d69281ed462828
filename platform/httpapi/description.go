package httpapi

import (
	"bytes"
	_ "embed" // for the page
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsPage []byte

// JSON returns the OpenAPI document as JSON, in a form fit for a repository.
func (r *Router) JSON() ([]byte, error) { return indented(r, (*huma.OpenAPI).MarshalJSON) }

// JSON30 is Router.JSON in version 3.0.3 of OpenAPI, for generators that know no later one.
func JSON30(r *Router) ([]byte, error) { return indented(r, (*huma.OpenAPI).Downgrade) }

func indented(r *Router, write func(*huma.OpenAPI) ([]byte, error)) ([]byte, error) {
	r.descriptionMu.Lock()
	defer r.descriptionMu.Unlock()
	r.describeProblems()
	raw, err := write(r.api.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("indent the OpenAPI document: %w", err)
	}
	pretty.WriteByte('\n')
	return pretty.Bytes(), nil
}

// YAML returns the OpenAPI document as YAML.
func (r *Router) YAML() ([]byte, error) {
	r.descriptionMu.Lock()
	defer r.descriptionMu.Unlock()
	r.describeProblems()
	raw, err := r.api.OpenAPI().YAML()
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	return raw, nil
}

// serveDescription serves the document and a page that shows it and needs nothing else.
func (r *Router) serveDescription() {
	r.mux.HandleFunc("GET /openapi.json", r.document("application/vnd.oai.openapi+json", r.JSON))
	r.mux.HandleFunc("GET /openapi.yaml", r.document("application/vnd.oai.openapi", r.YAML))
	r.mux.HandleFunc("GET /docs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'")
		_, _ = w.Write(docsPage) // the client is gone: nobody is left to tell
	})
}

func (r *Router) document(contentType string, write func() ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		raw, err := write()
		if err != nil {
			r.Fail(w, req, http.StatusInternalServerError, err.Error())
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(raw) // the client is gone: nobody is left to tell
	}
}
