package weights_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/weights"
)

const shard = "model-00001-of-00002.safetensors"

func TestARepositoryIsFetchedOpensAndNeedsNoHubAnyMore(t *testing.T) {
	h := newFakeHub(t)
	c := h.client(t.TempDir())
	folder, err := c.fetch()
	if err != nil {
		t.Fatal(err)
	}
	h.checkFetched(t, folder, firstCommit)
	m, err := weights.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	h.Server.Close()
	if _, err := c.fetch(); err != nil {
		t.Errorf("a folder that is whole, without a hub: %v", err)
	}
}

// Whatever happens on the way, the files are those of one revision, byte for byte, in one call.
func TestTroublesOfAHubThatADownloadOutlives(t *testing.T) {
	type trouble = func(w http.ResponseWriter, r *http.Request, name string, n int, raw []byte) bool
	first := func(n int, do trouble) trouble { // the first n requests for a shard's bytes
		return func(w http.ResponseWriter, r *http.Request, name string, i int, raw []byte) bool {
			return name == shard && i <= n && do(w, r, name, i, raw)
		}
	}
	onRange := func(do trouble) trouble { // breaks off once, and then answers ranges in its own way
		return func(w http.ResponseWriter, r *http.Request, name string, i int, raw []byte) bool {
			if name == shard && i == 1 {
				breakOff(w, raw, 40_000)
			}
			return name == shard && r.Header.Get("Range") != "" && do(w, r, name, i, raw)
		}
	}
	for name, do := range map[string]trouble{
		"breaks off at once": first(1, func(w http.ResponseWriter, _ *http.Request, _ string, _ int, raw []byte) bool {
			breakOff(w, raw, 0)
			return true
		}),
		"breaks off every 20 KB": func(w http.ResponseWriter, r *http.Request, name string, _ int, raw []byte) bool {
			if strings.HasSuffix(name, ".safetensors") {
				breakSoon(w, r, raw, 20_000)
			}
			return false
		},
		"breaks off a small file": func(w http.ResponseWriter, _ *http.Request, name string, n int, raw []byte) bool {
			if name == "config.json" && n == 1 {
				breakOff(w, raw, len(raw)/2)
			}
			return false
		},
		"stalls in the body": first(2, func(w http.ResponseWriter, r *http.Request, _ string, _ int, raw []byte) bool {
			w.Header().Set("Content-Length", fmt.Sprint(len(raw)))
			w.Write(raw[:1000])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}),
		"sends byte by byte": first(1, func(w http.ResponseWriter, r *http.Request, _ string, _ int, raw []byte) bool {
			for i := range raw {
				w.Write(raw[i : i+1])
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
					return true
				case <-time.After(20 * time.Millisecond):
				}
			}
			return true
		}),
		"stalls before the head": first(1, func(_ http.ResponseWriter, r *http.Request, _ string, _ int, _ []byte) bool {
			<-r.Context().Done()
			return true
		}),
		"429 and 503 for a while": first(2, func(w http.ResponseWriter, _ *http.Request, _ string, n int, _ []byte) bool {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader([]int{0, 429, 503}[n])
			return true
		}),
		"500 for a while": first(3, func(w http.ResponseWriter, _ *http.Request, _ string, _ int, _ []byte) bool {
			w.WriteHeader(500)
			return true
		}),
		"one flipped byte": first(1, func(w http.ResponseWriter, r *http.Request, name string, _ int, raw []byte) bool {
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(flipped(raw)))
			return true
		}),
		"less than it announced elsewhere": first(1, func(w http.ResponseWriter, r *http.Request, name string, _ int, raw []byte) bool {
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(raw[:len(raw)-1]))
			return true
		}),
		"more than it announced, in chunks": first(1, func(w http.ResponseWriter, _ *http.Request, _ string, _ int, raw []byte) bool {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			w.Write(append(slices.Clone(raw), "more"...))
			return true
		}),
		"ends early, in chunks": first(1, func(w http.ResponseWriter, _ *http.Request, _ string, _ int, raw []byte) bool {
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			w.Write(raw[:len(raw)/2])
			return true
		}),
		"416 to a range": onRange(func(w http.ResponseWriter, _ *http.Request, _ string, _ int, _ []byte) bool {
			w.WriteHeader(416)
			return true
		}),
		"200 to a range": onRange(func(w http.ResponseWriter, _ *http.Request, _ string, _ int, raw []byte) bool {
			w.Write(raw)
			return true
		}),
		"another range than was asked for": onRange(func(w http.ResponseWriter, _ *http.Request, _ string, _ int, raw []byte) bool {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 7-%d/%d", len(raw)-1, len(raw)))
			w.WriteHeader(206)
			w.Write(raw[7:])
			return true
		}),
		"206 without a range": onRange(func(w http.ResponseWriter, _ *http.Request, _ string, _ int, raw []byte) bool {
			w.WriteHeader(206)
			w.Write(raw)
			return true
		}),
		"a range of another size": onRange(func(w http.ResponseWriter, _ *http.Request, _ string, _ int, raw []byte) bool {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 40000-%d/%d", len(raw), len(raw)+1))
			w.WriteHeader(206)
			w.Write(append(slices.Clone(raw[40_000:]), 0))
			return true
		}),
		"the other half is damaged": onRange(func(w http.ResponseWriter, r *http.Request, name string, n int, raw []byte) bool {
			if n == 2 {
				raw = flipped(raw)
			}
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(raw))
			return true
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFakeHub(t)
			h.trouble = do
			c := h.client(t.TempDir())
			folder, err := c.fetch()
			if err != nil {
				t.Fatalf("%v\n%s", err, strings.Join(h.asked, "\n"))
			}
			h.checkFetched(t, folder, firstCommit)
			if strings.HasPrefix(name, "429") && !slices.Equal(c.waits, []time.Duration{7 * time.Second, 7 * time.Second}) {
				t.Errorf("waited %v, was asked for 7 s twice", c.waits)
			}
		})
	}
}

// breakSoon answers as a whole or a range and breaks off after some bytes.
func breakSoon(w http.ResponseWriter, r *http.Request, raw []byte, after int) {
	begin := 0
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &begin); err == nil {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", begin, len(raw)-1, len(raw)))
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(raw)-begin))
	if begin > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	if len(raw)-begin <= after {
		w.Write(raw[begin:])
		return
	}
	w.Write(raw[begin : begin+after])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func flipped(raw []byte) []byte {
	raw = slices.Clone(raw)
	raw[len(raw)-3] ^= 1
	return raw
}

// The token goes to the hub and to nobody else, and a signed address into no message.
func TestSecretsStayWhereTheyBelong(t *testing.T) {
	h := newFakeHub(t)
	if _, err := h.client(t.TempDir()).fetch(); err != nil {
		t.Fatal(err)
	}
	if len(h.tokens) == 0 || strings.Join(h.tokens, "") != "" {
		t.Errorf("the store was shown %q", h.tokens)
	}
	h.store.Close()
	if _, err := h.client(t.TempDir()).fetch(); err == nil || strings.Contains(err.Error(), "signature") {
		t.Errorf("a store that is away: %v", err)
	}
}

func TestAFileThatIsNeverWhatTheHubAnnounces(t *testing.T) {
	h := newFakeHub(t)
	h.trouble = func(w http.ResponseWriter, r *http.Request, name string, _ int, raw []byte) bool {
		if name == shard {
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(flipped(raw)))
		}
		return name == shard
	}
	cache := t.TempDir()
	_, err := h.client(cache).fetch()
	if err == nil || !strings.Contains(err.Error(), "its digest is") || h.counts[shard] != 2 {
		t.Errorf("%v after %d tries", err, h.counts[shard])
	}
	if _, err := os.Stat(filepath.Join(cache, "owner--name", shard)); err == nil {
		t.Error("the damaged file was taken")
	}
}

func TestRepositoriesThatCannotBeFetched(t *testing.T) {
	answering := func(status int, header ...string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	for _, c := range []struct{ endpoint, repository, want string }{
		{answering(401), "owner/name", "HF_TOKEN"}, {answering(403), "owner/name", "HF_TOKEN"},
		{answering(404), "owner/name", "does not have it"}, {answering(418), "owner/name", "answered 418"},
		{answering(500), "owner/name", "5 tries"},
		{answering(429, "Retry-After", "86400"), "owner/name", "asked again in 24h"},
		{answering(429, "Retry-After", "Fri, 01 Jan 2100 00:00:00 GMT"), "owner/name", "asked again in"},
		{answering(302, "Location", "/x"), "owner/name", "in a circle"},
		{answering(302, "Location", "file:///etc/passwd"), "owner/name", "5 tries"},
		{answering(200, "Content-Encoding", "br"), "owner/name", `"br"`},
		{answering(206), "owner/name", "part of something else"},
		{answering(416), "owner/name", "5 tries"},
		{answering(404), "../../etc", "neither a file"}, {answering(404), "a/b/c", "neither a file"},
	} {
		client := (&fakeHub{Server: &httptest.Server{URL: c.endpoint}}).client(t.TempDir())
		_, err := weights.Fetch(t.Context(), client.Hub, c.repository)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.repository, err, c.want)
		}
	}
}

// Two that fetch into one folder: one waits for the other.
func TestTwoFetchersOfOneFolder(t *testing.T) {
	h := newFakeHub(t)
	cache := t.TempDir()
	done := make(chan error, 2)
	for range 2 {
		go func() {
			c := h.client(cache)
			c.Hub.Pause = nil
			_, err := c.fetch()
			done <- err
		}()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	h.checkFetched(t, filepath.Join(cache, "owner--name"), firstCommit)
	if h.counts[shard] != 1 {
		t.Errorf("%d downloads", h.counts[shard])
	}
}
