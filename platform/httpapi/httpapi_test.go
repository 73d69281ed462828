package httpapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
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

// keys are settings' keys that may be used under /v1, but for what is under /v1/own.
func keys(secrets ...string) *auth.Authenticator {
	var cfg auth.Config
	for _, secret := range secrets {
		cfg.Fixed = append(cfg.Fixed, auth.Fixed{Secret: secret, Key: auth.Key{ID: "id of " + secret, Tenant: "default", Scopes: []auth.Scope{"use"}}})
	}
	return auth.New(cfg)
}

// router returns a router with some routes, and what it observes.
func router(change func(*httpapi.Config)) (http.Handler, *[]call) {
	var seen []call
	cfg := httpapi.Config{
		Title: "test", Version: "1", CORSOrigins: []string{"*"}, MaxBody: 100, IDHeaders: []string{"Request-Id"},
		Keys: keys("k"), Guards: []httpapi.Guard{{Prefix: "/v1", Scope: "use"}, {Prefix: "/v1/own", Scope: "own"}, {Prefix: "/admin", Scope: "rule"}},
		Limits: ratelimit.New(ratelimit.Config{Global: 1000}),
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
	huma.Register(r.API(), huma.Operation{OperationID: "named", Method: http.MethodPost, Path: "/named"}, takeName)
	return r.Handler(), &seen
}

type named struct {
	Body struct {
		Name string `json:"name,omitempty" maxLength:"10"`
		N    int    `json:"n,omitempty"`
	}
}

// takeName refuses what is not named.
func takeName(_ context.Context, in *named) (*struct{}, error) {
	if in.Body.Name == "" {
		return nil, huma.Error400BadRequest("nameless")
	}
	return nil, nil
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
		{"GET", "/v1/own", 403, []string{"X-Api-Key", "k"}},
		{"GET", "/v1/own/", 403, []string{"Authorization", "Bearer k"}},
		{"GET", "/v1/owner", 429, []string{"X-Api-Key", "k"}},
		{"GET", "/admin", 403, []string{"X-Api-Key", "k"}},
		{"GET", "/%61dmin/x", 403, []string{"X-Api-Key", "k"}},
		{"GET", "/admin/x", 401, []string{"X-Api-Key", "wrong"}},
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
	h, _ := router(func(c *httpapi.Config) { c.LoopbackOnly, c.Keys = true, keys() })
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

// Probes of HTTP/1.0 name no host. Elsewhere such a request is still a stranger's.
func TestProbesNeedNoHost(t *testing.T) {
	h, _ := router(func(c *httpapi.Config) { c.LoopbackOnly, c.Keys = true, keys() })
	for path, status := range map[string]int{"/health/live": 404, "/metrics": 404, "/healthy": 403, "/": 403, "/v1/who": 403, "/metricsx": 403} {
		if answer := get(h, "GET", path, "Host", ""); answer.Code != status {
			t.Errorf("%s: %d, want %d", path, answer.Code, status)
		}
	}
	if answer := get(h, "GET", "/health/live", "Host", "evil.example"); answer.Code != 403 {
		t.Errorf("with a stranger's host: %d", answer.Code)
	}
}

// Whatever a client sends, errors repeat little of it.
func TestErrorsRepeatLittleOfWhatWasSent(t *testing.T) {
	h, _ := router(func(c *httpapi.Config) { c.MaxBody = 1 << 20 })
	long := strings.Repeat("9", 400_000)
	if answer := get(h, "GET", "/"+long); answer.Code != 404 || answer.Body.Len() > 1000 {
		t.Errorf("a long path: %d, %d bytes", answer.Code, answer.Body.Len())
	}
	if answer := get(h, strings.Repeat("M", 900_000), "/"); answer.Code != 405 || answer.Body.Len() > 1000 {
		t.Errorf("a long method: %d, %d bytes", answer.Code, answer.Body.Len())
	}
	for body, mention := range map[string]string{
		`{"n":` + long + `}`: "", `{"` + long + `":1}`: "unexpected property", `{"name":"` + long + `"}`: "length", `{"n":"` + long + `"}`: "integer",
		`{"Name":"x"}`: "nameless", `{"NAME":"x","n":3.0}`: "nameless",
		long: "", `{"name":"x","name":"y"}`: "twice", `{"name":"x\ud800"}`: "name: has one half", "{\"name\":\"\xff\"}": "UTF-8", `{"name":5}`: "string",
		`{"name":{"` + long + `":"\ud800"}}`: "one half",
	} {
		req := httptest.NewRequest("POST", "/named", strings.NewReader(body))
		req.Header.Set("X-Request-Id", "mine:1")
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, req)
		checkProblem(t, answer)
		if answer.Code < 400 || answer.Code > 422 || answer.Body.Len() > 1000 || !strings.Contains(answer.Body.String(), mention) {
			t.Errorf("%.40s: %d, %d bytes: %.300s", body, answer.Code, answer.Body.Len(), answer.Body)
		}
	}
}

func TestTheDocumentIsServedToManyAtOnce(t *testing.T) {
	router := httpapi.New(httpapi.Config{Title: "t", Version: "1"})
	router.Handle(huma.Operation{
		OperationID: "o", Method: http.MethodGet, Path: "/o", Responses: map[string]*huma.Response{"400": httpapi.Problem(router, "wrong")},
	}, func(http.ResponseWriter, *http.Request) {})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := router.JSON(); err != nil {
				t.Error(err)
			}
			if _, err := router.YAML(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// What an API has of its own below its path is told by it: the form of errors, the headers of limits, who
// calls.
func TestSurfacesHaveTheirOwnErrorsHeadersAndCallers(t *testing.T) {
	caller := func(r *http.Request) (string, error) {
		name := r.Header.Get("X-Caller")
		if name == "" {
			return "", nil
		}
		return name, httpapi.CheckID("the caller", name)
	}
	h, _ := router(func(c *httpapi.Config) {
		c.Limits, c.Caller = ratelimit.New(ratelimit.Config{PerCaller: 1}), caller
		c.Surfaces = []httpapi.Surface{{
			Prefix: "/v1/who", Exposed: []string{"X-Left", "Retry-After"},
			Error: func(f httpapi.Failure) any { return map[string]any{"mine": f.Message, "id": f.RequestID} },
			Pace:  func(h http.Header, d ratelimit.Decision) { h.Set("X-Left", strconv.Itoa(d.Remaining)) },
		}}
	})
	as := func(caller, path string) *httptest.ResponseRecorder {
		return get(h, "GET", path, "X-Api-Key", "k", "X-Caller", caller, "X-Request-Id", "mine:1", "Origin", "http://a.example")
	}
	first := as("ann", "/v1/who")
	if first.Code != 200 || first.Header().Get("X-Left") != "0" || first.Header().Get("Retry-After") != "" {
		t.Errorf("%d, %v", first.Code, first.Header())
	}
	if got := first.Header().Get("Access-Control-Expose-Headers"); got != "X-Request-Id, Retry-After, Request-Id, X-Left" {
		t.Errorf("pages may read %q", got)
	}
	again := as("ann", "/v1/who")
	if again.Code != 429 || again.Header().Get("Retry-After") != "60" || !strings.Contains(again.Body.String(), `"id":"mine:1"`) {
		t.Errorf("%d, %v %s", again.Code, again.Header(), again.Body)
	}
	if got := as("bob", "/v1/who"); got.Code != 200 {
		t.Errorf("another caller: %d", got.Code)
	}
	elsewhere := as("ann", "/v1/nothing")
	if checkProblem(t, elsewhere); elsewhere.Code != 429 || elsewhere.Header().Get("X-Left") != "" || elsewhere.Header().Get("Retry-After") != "60" {
		t.Errorf("elsewhere: %d, %v", elsewhere.Code, elsewhere.Header())
	}
	for name, mention := range map[string]string{"a\xff": "UTF-8", strings.Repeat("x", 257): "256", "..": "path"} {
		if got := as(name, "/v1/who"); got.Code != 400 || !strings.Contains(got.Body.String(), "the caller") || !strings.Contains(got.Body.String(), mention) {
			t.Errorf("%.10q: %d %s", name, got.Code, got.Body)
		}
	}
}
