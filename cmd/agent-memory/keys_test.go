package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	keysapi "github.com/agent-memory/agent-memory/modules/keys/api"
)

// operated has a server with an operator's key and no other.
func operated(c *config.Config) { c.AdminKey = "operator" }

// makeKey has the operator make a key.
func (r *running) makeKey(t *testing.T, wanted string) (k keysapi.NewAPIKey) {
	t.Helper()
	status, text := r.call(t, http.MethodPost, "/admin/api-keys", "operator", wanted)
	if err := json.Unmarshal([]byte(text), &k); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s", status, text)
	}
	return k
}

func (r *running) revokeKey(t *testing.T, id string) {
	t.Helper()
	if status, text := r.call(t, http.MethodDelete, "/admin/api-keys/"+id, "operator", ""); status != http.StatusOK || !strings.Contains(text, `"status":"revoked"`) {
		t.Fatalf("%d %s", status, text)
	}
}

// wantAnswer asks a question with a key.
func (r *running) wantAnswer(t *testing.T, key string, want int) (text string) {
	t.Helper()
	status, text := r.call(t, http.MethodPost, "/v1/messages", key, strings.Replace(question, "200", "2", 1))
	if status != want {
		t.Errorf("%d %s, want %d", status, text, want)
	}
	return text
}

func TestAKeyIsToldOnceAndHoldsUntilItIsRevoked(t *testing.T) {
	r := talkative(t, operated)
	k := r.makeKey(t, `{"name":"ann's laptop","tenant":"ann"}`)
	if !strings.HasPrefix(k.Secret, k.Prefix) || len(k.Secret) < 40 || len(k.Prefix) > 12 || k.Tenant != "ann" || len(k.Scopes) != 2 {
		t.Errorf("%+v", k)
	}
	r.wantAnswer(t, k.Secret, http.StatusOK)
	r.wantAnswer(t, k.Prefix, http.StatusUnauthorized)
	r.wantAnswer(t, k.Secret+"x", http.StatusUnauthorized)
	for _, path := range []string{"/admin/api-keys", "/admin/api-keys/" + k.ID} {
		status, text := r.call(t, http.MethodGet, path, "operator", "")
		if status != http.StatusOK || strings.Contains(text, k.Secret) || !strings.Contains(text, k.ID) || !strings.Contains(text, "ann's laptop") {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	for range 2 {
		r.revokeKey(t, k.ID)
	}
	if text := r.wantAnswer(t, k.Secret, http.StatusUnauthorized); !strings.Contains(text, "authentication_error") {
		t.Error(text)
	}
	r.end(t)
	if strings.Contains(r.log.String(), k.Secret) || !strings.Contains(r.log.String(), "api_key_revoked") {
		t.Error("the log has the key, or not what became of it")
	}
	file, err := os.ReadFile(filepath.Join(r.cacheDir, recordsFile))
	if err != nil || strings.Contains(string(file), k.Secret) {
		t.Errorf("the database has the key, or %v", err)
	}
}

// Keys lie in the database: they hold after a restart, and so does their end.
func TestKeysSurviveARestart(t *testing.T) {
	r := talkative(t, operated)
	holds, ends := r.makeKey(t, `{}`), r.makeKey(t, `{}`)
	r.revokeKey(t, ends.ID)
	r.wantAnswer(t, holds.Secret, http.StatusOK)
	r.end(t)
	r = talkative(t, func(c *config.Config) { operated(c); c.Agent.CacheDir = r.cacheDir })
	r.wantAnswer(t, holds.Secret, http.StatusOK)
	r.wantAnswer(t, ends.Secret, http.StatusUnauthorized)
	if _, text := r.call(t, http.MethodGet, "/admin/api-keys/"+holds.ID, "operator", ""); !strings.Contains(text, "last_used_at") {
		t.Errorf("its last use was not written at the end: %s", text)
	}
}

// Without any key the server asks for none. The first one ends that for good: it must be an operator's, and
// revoking it opens nothing.
func TestTheFirstKeyClosesTheServer(t *testing.T) {
	r := talkative(t, nil)
	r.wantAnswer(t, "", http.StatusOK)
	if status, text := r.call(t, http.MethodPost, "/admin/api-keys", "", `{"scopes":["messages"]}`); status != http.StatusConflict || !strings.Contains(text, "admin") {
		t.Errorf("a first key by which nobody could make another: %d %s", status, text)
	}
	r.wantAnswer(t, "", http.StatusOK)
	var first keysapi.NewAPIKey
	status, text := r.call(t, http.MethodPost, "/admin/api-keys", "", `{"scopes":["admin"]}`)
	if err := json.Unmarshal([]byte(text), &first); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s", status, text)
	}
	r.wantAnswer(t, "", http.StatusUnauthorized)
	if text := r.wantAnswer(t, first.Secret, http.StatusForbidden); !strings.Contains(text, "permission_error") {
		t.Error(text)
	}
	if status, text := r.call(t, http.MethodDelete, "/admin/api-keys/"+first.ID, first.Secret, ""); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	r.wantAnswer(t, "", http.StatusUnauthorized)
	r.end(t)
	db := filepath.Join(r.cacheDir, recordsFile)
	for _, lost := range []string{"", db} { // with the database, and with one that can't be opened
		if lost != "" {
			if err := os.RemoveAll(lost); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(lost, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		again := begin(t, enginetest.Config{}, func(c *config.Config) { c.Agent.CacheDir = r.cacheDir })
		eventually(t, "the start", func() bool { return again.get(t, "/health/startup").StatusCode == http.StatusOK })
		again.wantAnswer(t, "", http.StatusUnauthorized)
		again.end(t)
	}
}

func TestKeysOfTheSettingsAreShownAndNotRevoked(t *testing.T) {
	r := talkative(t, func(c *config.Config) { operated(c); c.APIKeys = []string{"first-secret", "second-secret"} })
	_, text := r.call(t, http.MethodGet, "/admin/api-keys", "operator", "")
	for variable, id := range map[string]string{"SEMANTIC_ADMIN_KEY": "bootstrap-admin", "ANTHROPIC_API_KEY": "bootstrap-key-00002"} {
		if !strings.Contains(text, id) || strings.Contains(text, "secret") {
			t.Errorf("%s is not listed, or told: %s", id, text)
		}
		if status, text := r.call(t, http.MethodDelete, "/admin/api-keys/"+id, "operator", ""); status != http.StatusConflict || !strings.Contains(text, variable) {
			t.Errorf("%s: %d %s", id, status, text)
		}
	}
	r.wantAnswer(t, "second-secret", http.StatusOK)
}

func TestKeysAreListedByCursor(t *testing.T) {
	r := talkative(t, func(c *config.Config) { operated(c); c.APIKeys = []string{"user"} })
	want := []string{"bootstrap-admin", "bootstrap-key-00001"}
	for i := range 5 {
		want = append(want, r.makeKey(t, fmt.Sprintf(`{"tenant":"t%d"}`, i%2)).ID)
	}
	slices.Sort(want[2:]) // ids of one millisecond have no order in time
	for tenant, n := range map[string]int{"": 7, "default": 2, "t0": 3, "t1": 2, "none": 0} {
		for limit := 1; limit < 8; limit++ {
			var got []string
			cursor := ""
			for more := true; more; more = cursor != "" {
				var page keysapi.APIKeyPage
				status, text := r.call(t, http.MethodGet, fmt.Sprintf("/admin/api-keys?tenant=%s&limit=%d&cursor=%s", tenant, limit, cursor), "operator", "")
				if err := json.Unmarshal([]byte(text), &page); err != nil || status != http.StatusOK || len(page.Keys) > limit {
					t.Fatalf("%d %s", status, text)
				}
				for _, k := range page.Keys {
					got = append(got, k.ID)
				}
				cursor = page.Next
			}
			if len(got) != n || tenant == "" && strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("tenant %q by %d: %v", tenant, limit, got)
			}
		}
	}
}

func TestWrongKeysAreRefusedInWords(t *testing.T) {
	r := talkative(t, operated)
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{http.MethodPost, "", `{"scopes":["everything"]}`, 422},
		{http.MethodPost, "", `{"tenant":"a\u0000b"}`, 400},
		{http.MethodPost, "", `{"tenant":".."}`, 400},
		{http.MethodPost, "", `{"name":"a\nb"}`, 400},
		{http.MethodPost, "", `{"expires_at":"2001-01-01T00:00:00Z"}`, 400},
		{http.MethodPost, "", `{"expires_at":"9999-01-01T00:00:00Z"}`, 400},
		{http.MethodPost, "", `{"expires_at":"soon"}`, 422},
		{http.MethodGet, "?cursor=!", "", 400},
		{http.MethodGet, "?limit=0", "", 422},
		{http.MethodGet, "/none", "", 404},
		{http.MethodGet, "/%00", "", 404},
		{http.MethodDelete, "/none", "", 404},
	} {
		status, text := r.call(t, c.method, "/admin/api-keys"+c.path, "operator", c.body)
		if status != c.want || !strings.Contains(text, `"detail"`) {
			t.Errorf("%s %s %s: %d %s, want %d", c.method, c.path, c.body, status, text, c.want)
		}
	}
}

// A stream whose key is revoked ends with an error event; others go on.
func TestStreamsOfARevokedKeyAreCut(t *testing.T) {
	gate := make(chan struct{}, 1)
	gate <- struct{}{}
	r := launch(t, enginetest.Config{NoEnd: true, Before: func(enginetest.Call) error {
		<-gate
		gate <- struct{}{}
		return nil
	}}, func(c *config.Config) { operated(c); c.MLX.CacheBudgetMB, c.MLX.MaxBatchSize = 8, 4 })
	k, other := r.makeKey(t, `{"tenant":"a"}`), r.makeKey(t, `{"tenant":"a"}`)
	endless := streamed(strings.Replace(question, "200", "100000", 1))
	r.key = k.Secret
	cut := r.ask(t, endless)
	whole := make(chan string, 1)
	go func() {
		_, text := r.call(t, http.MethodPost, "/v1/messages", k.Secret, strings.Replace(question, "200", "100000", 1))
		whole <- text
	}()
	chat, err := http.NewRequest(http.MethodPost, r.url+"/v1/chat/completions", strings.NewReader(
		`{"model":"claude-3-5-sonnet-20241022","stream":true,"max_tokens":100000,"messages":[{"role":"user","content":"the question"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	chat.Header.Set("Content-Type", "application/json")
	chat.Header.Set("Authorization", "Bearer "+k.Secret)
	completion := send(t, chat)
	for _, answer := range []*http.Response{cut, completion} {
		if _, err := answer.Body.Read(make([]byte, 100)); err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%d, %v", answer.StatusCode, err)
		}
	}
	r.revokeKey(t, k.ID)
	if text := body(t, completion); !strings.Contains(text, `"code":"invalid_api_key"`) || strings.Contains(text, "[DONE]") {
		t.Errorf("the completion ends with %q", text[max(0, len(text)-300):])
	}
	if text := body(t, cut); !strings.Contains(text, "event: error") || !strings.Contains(text, `"authentication_error"`) || strings.Contains(text, "message_stop") {
		t.Errorf("it ends with %q", text[max(0, len(text)-300):])
	}
	if text := <-whole; !strings.Contains(text, "authentication_error") {
		t.Errorf("without streaming: %.300q", text)
	}
	r.wantAnswer(t, other.Secret, http.StatusOK)
	r.wantAnswer(t, k.Secret, http.StatusUnauthorized)
}

func TestOperatorsManageKeysByTheCommandLine(t *testing.T) {
	t.Setenv("SEMANTIC_ADMIN_KEY", "operator")
	r := talkative(t, operated)
	out, err := r.command(t, "keys", "create", "--name", "ci", "--tenant", "ann", "--scope", "messages", "--expires-in", "1h", "--json")
	var k keysapi.NewAPIKey
	if json.Unmarshal([]byte(out), &k) != nil || k.Secret == "" || k.Tenant != "ann" || len(k.Scopes) != 1 || k.Expires == nil {
		t.Fatalf("%s%v", out, err)
	}
	r.wantAnswer(t, k.Secret, http.StatusOK)
	if out, err := r.command(t, "keys", "create"); err != nil || !strings.Contains(out, "am-") || !strings.Contains(out, "messages,agents") {
		t.Errorf("%s%v", out, err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"keys", "list"}, "SEMANTIC_ADMIN_KEY"},
		{[]string{"keys", "list", "--tenant", "ann"}, k.Prefix + "…"},
		{[]string{"keys", "list", "--json", "--limit", "1"}, "bootstrap-admin"},
		{[]string{"keys", "revoke", k.ID}, "is revoked"},
		{[]string{"keys", "list", "--tenant", "ann"}, "revoked"},
	} {
		if out, err := r.command(t, c.args...); err != nil || !strings.Contains(out, c.want) || strings.Contains(out, k.Secret) {
			t.Errorf("%v: %s%v, want %q", c.args, out, err, c.want)
		}
	}
	if _, err := r.command(t, "keys", "revoke", "bootstrap-admin"); err == nil || !strings.Contains(err.Error(), "SEMANTIC_ADMIN_KEY") {
		t.Errorf("a key of the settings: %v", err)
	}
	r.wantAnswer(t, k.Secret, http.StatusUnauthorized)
}

// A tenant's limit holds for all its keys and agents, and what it is refused takes nothing from others.
func TestRatesAreCountedForTenantsAgentsAndTheNode(t *testing.T) {
	r := talkative(t, func(c *config.Config) {
		operated(c)
		c.Server.RateLimitPerTenant, c.Server.RateLimitPerAgent, c.Server.RateLimitGlobal = 4, 3, 7
	})
	one, also, two := r.makeKey(t, `{"tenant":"one"}`).Secret, r.makeKey(t, `{"tenant":"one"}`).Secret, r.makeKey(t, `{"tenant":"two"}`).Secret
	for i, c := range []struct {
		key, agent string
		want       int
		words      string
	}{
		{one, "a", 200, ""}, {one, "a", 200, ""}, {one, "a", 200, ""}, {one, "a", 429, "caller"}, {also, "b", 429, "tenant"}, {one, "c", 429, "tenant"},
		{two, "a", 200, ""}, {two, "a", 200, ""}, {two, "b", 200, ""}, {two, "b", 200, ""}, {two, "c", 429, "tenant"},
	} {
		req, err := http.NewRequest(http.MethodPost, r.url+"/v1/messages", strings.NewReader(strings.Replace(question, "200", "1", 1)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Api-Key", c.key)
		req.Header.Set("X-Agent-Id", c.agent)
		answer := send(t, req)
		text := body(t, answer)
		if answer.StatusCode != c.want || !strings.Contains(text, c.words) || answer.Header.Get("Anthropic-Ratelimit-Requests-Limit") == "" {
			t.Errorf("%d: %d %s %v", i, answer.StatusCode, text, answer.Header)
		}
		if refused := c.want == 429; refused && (answer.Header.Get("Retry-After") == "" || !strings.Contains(text, "rate_limit_error")) {
			t.Errorf("%d: %s %v", i, text, answer.Header)
		}
	}
	three := r.makeKey(t, `{"tenant":"three"}`).Secret
	if text := r.wantAnswer(t, three, http.StatusTooManyRequests); !strings.Contains(text, "this node") {
		t.Error(text)
	}
}
