package httpapi

import (
	"net/http"
	"slices"

	"github.com/agent-memory/agent-memory/platform/ratelimit"
)

// Surface is what an API has of its own below a path. What it leaves out is as elsewhere.
type Surface struct {
	Prefix string            // of the path, e.g. "/v1/things"
	Error  func(Failure) any // what is sent as JSON for an error; nil: RFC 9457
	// Pace sets the headers by which clients pace themselves, from a decision that has a limit; nil: none.
	Pace func(http.Header, ratelimit.Decision)
	// Exposed are the names of headers that it sets on answers and that pages of other origins may read.
	Exposed []string
}

// surfaceOf is the surface that a request's path belongs to, if there is one.
func (c *Config) surfaceOf(req *http.Request) (Surface, bool) {
	i := slices.IndexFunc(c.Surfaces, func(s Surface) bool { return isBelow(req.URL.Path, s.Prefix) })
	if i < 0 {
		return Surface{}, false
	}
	return c.Surfaces[i], true
}

// exposedHeaders returns the headers of answers that pages of other origins may read.
func (c *Config) exposedHeaders() []string {
	names := append([]string{requestID, "Retry-After"}, c.IDHeaders...)
	for _, s := range c.Surfaces {
		for _, name := range s.Exposed {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
