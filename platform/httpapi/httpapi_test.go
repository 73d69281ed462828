package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/ratelimit"
	"github.com/danielgtaylor/huma/v2"
)

type call struct {
	method, route string
	status        int
}

// router returns a router with some routes, and what it observes.
func router(change func(*httpapi.Config)) (http.Handler, *[]call) {
	var seen []call
	cfg := httpapi.Config{
		Title: "test", Version: "1", CORSOrigins: []string{"*"}, MaxBody: 100,
		Keys: auth.NewKeys([]string{"k"}), Limits: ratelimit.New(ratelimit.Config{Global: 1000}),
		Observe: func(method, route string, status int, _ time.Duration) {
			seen = append(seen, call{method, route, status})
		},
	}
	if change != nil {
		change(&cfg)
	}
	r := httpapi.New(cfg)
	handle := func(path string, handler http.HandlerFunc) {
		r.Handle(huma.Operation{Method: http.MethodGet, Path: path, OperationID: path}, handler)
	}
	handle("/", func(w http.ResponseWriter, _ *http.Request) { httpapi.WriteJSON(w, 200, "application/json", "root") })
	handle("/things/{id}", func(w http.ResponseWriter, _ *http.Request) { httpapi.WriteJSON(w, 200, "application/json", "thing") })
	handle("/panic", func(http.ResponseWriter, *http.Request) { panic("secret") })
	handle("/v1/who", func(w http.ResponseWriter, r *http.Request) {
		httpapi.WriteJSON(w, 200, "application/json", auth.From(r.Context()).Tenant)
	})
	return r.Handler(), &seen
}

func get(h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, req)
	return answer
}

func TestEveryAnswerCarriesItsRequestID(t *testing.T) {
	h, _ := router(func(c *httpapi.Config) { c.Limits = ratelimit.New(ratelimit.Config{Global: 1}) })
	for _, c := range []struct {
		method, path string
		status       int
		headers      []string
	}{
		{"GET", "/", 200, nil},
		{"GET", "/nowhere", 404, nil},
		{"DELETE", "/", 405, nil},
		{"GET", "/v1/who", 401, nil},
		{"GET", "/v1/who", 200, []string{"X-Api-Key", "k"}},
		{"GET", "/v1/who", 429, []string{"X-Api-Key", "k"}},
		{"GET", "/panic", 500, nil},
		{"OPTIONS", "/v1/who", 204, []string{"Origin", "http://a.example", "Access-Control-Request-Method", "GET"}},
	} {
		answer := get(h, c.method, c.path, append(c.headers, "X-Request-Id", "mine:1")...)
		if answer.Code != c.status || answer.Header().Get("X-Request-Id") != "mine:1" || answer.Header().Get("Request-Id") != "mine:1" {
			t.Errorf("%s %s: %d, %v, want %d", c.method, c.path, answer.Code, answer.Header(), c.status)
		}
		if c.status >= 400 {
			checkProblem(t, answer)
		}
	}
}

func checkProblem(t *testing.T, answer *httptest.ResponseRecorder) {
	t.Helper()
	var problem struct {
		Title, Detail string
		Status        int
		RequestID     string `json:"request_id"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil {
		t.Fatalf("%q: %v", answer.Body, err)
	}
	if problem.Status != answer.Code || problem.Title == "" || problem.Detail == "" || problem.RequestID != "mine:1" ||
		answer.Header().Get("Content-Type") != "application/problem+json" || strings.Contains(answer.Body.String(), "secret") {
		t.Errorf("%v %s", answer.Header(), answer.Body)
	}
}

func TestABadRequestIDIsReplaced(t *testing.T) {
	h, _ := router(nil)
	for _, id := range []string{"", "two words", "new\tline", strings.Repeat("x", 129), "ünïcode"} {
		if got := get(h, "GET", "/", "X-Request-Id", id).Header().Get("X-Request-Id"); !strings.HasPrefix(got, "req_") {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestMetricsGetTheRoutesTemplate(t *testing.T) {
	h, seen := router(nil)
	get(h, "GET", "/things/42")
	get(h, "GET", "/nowhere/42")
	get(h, "GET", "/")
	want := []call{{"GET", "/things/{id}", 200}, {"GET", "unmatched", 404}, {"GET", "/", 200}}
	for i, c := range want {
		if (*seen)[i] != c {
			t.Errorf("call %d is %v, want %v", i, (*seen)[i], c)
		}
	}
}

func TestWithoutKeysOnlyThisMachineIsAnswered(t *testing.T) {
	h, _ := router(func(c *httpapi.Config) { c.LoopbackOnly, c.Keys = true, auth.NewKeys(nil) })
	for _, c := range []struct {
		host, origin string
		status       int
	}{
		{"localhost:8000", "", 200},
		{"127.0.0.1:8000", "http://localhost:3000", 200},
		{"[::1]:8000", "", 200},
		{"evil.example", "", 403},
		{"localhost.evil.example:8000", "", 403},
		{"localhost:8000", "https://evil.example", 403},
		{"localhost:8000", "null", 403},
	} {
		headers := []string{"Host", c.host, "X-Api-Key", "any"}
		if c.origin != "" {
			headers = append(headers, "Origin", c.origin)
		}
		if answer := get(h, "GET", "/v1/who", headers...); answer.Code != c.status {
			t.Errorf("host %q, origin %q: %d, want %d", c.host, c.origin, answer.Code, c.status)
		}
	}
}

func TestCORSNeverCoversAdmin(t *testing.T) {
	h, _ := router(nil)
	if got := get(h, "GET", "/", "Origin", "http://a.example").Header().Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("on / it is %q", got)
	}
	for _, method := range []string{"GET", "OPTIONS"} {
		answer := get(h, method, "/admin/pool", "Origin", "http://a.example", "Access-Control-Request-Method", "GET", "X-Api-Key", "k")
		if got := answer.Header().Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s on /admin: %q", method, got)
		}
	}
}

func TestTheDescriptionNeedsNothingFromElsewhere(t *testing.T) {
	h, _ := router(nil)
	for _, path := range []string{"/openapi.json", "/openapi.yaml", "/docs"} {
		answer := get(h, "GET", path)
		if answer.Code != 200 || answer.Body.Len() == 0 {
			t.Errorf("%s: %d", path, answer.Code)
		}
		if path == "/docs" && strings.Contains(answer.Body.String(), "http") && strings.Contains(answer.Body.String(), "://") {
			t.Error("the page refers to another site")
		}
	}
}
