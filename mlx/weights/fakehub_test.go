package weights_test

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // git's
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

// fakeHub serves revisions of one repository, owner/name, over HTTP as the hub does: small files by itself,
// tensors by a redirect to another server.
type fakeHub struct {
	*httptest.Server
	store *httptest.Server // where redirects lead

	mu        sync.Mutex
	revisions map[string]map[string][]byte // files by commit
	main      string                       // the commit that main is
	plain     bool                         // tells no commit, as a simple mirror
	asked     []string                     // "NAME RANGE" of each request for bytes
	tokens    []string                     // the Authorization of each request at the store
	// trouble may answer in the hub's place; n counts the requests for a name's bytes.
	trouble func(w http.ResponseWriter, r *http.Request, name string, n int, raw []byte) bool
	counts  map[string]int
}

const (
	firstCommit  = "1111111111111111111111111111111111111111"
	secondCommit = "2222222222222222222222222222222222222222"
)

func newFakeHub(t *testing.T) *fakeHub {
	h := &fakeHub{main: firstCommit, counts: map[string]int{},
		revisions: map[string]map[string][]byte{firstCommit: repository(t, 1), secondCommit: repository(t, 2)}}
	h.Server, h.store = httptest.NewServer(http.HandlerFunc(h.resolve)), httptest.NewServer(http.HandlerFunc(h.bytes))
	t.Cleanup(h.Server.Close)
	t.Cleanup(h.store.Close)
	return h
}

// repository is a tiny model in two shards whose tensors lie on the seed.
func repository(t *testing.T, seed uint64) map[string][]byte {
	tiny := weightstest.Default()
	tiny.Shards, tiny.Seed = 2, seed
	dir, files := weightstest.Write(t, tiny), map[string][]byte{"tokenizer.json": []byte("{}"), "tokenizer_config.json": []byte("{}")}
	there, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range there {
		if files[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// resolve answers /owner/name/resolve/REVISION/FILE.
func (h *fakeHub) resolve(w http.ResponseWriter, r *http.Request) {
	revision, name, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/owner/name/resolve/"), "/")
	h.mu.Lock()
	if revision == "main" {
		revision = h.main
	}
	raw, there := h.revisions[revision][name]
	h.mu.Unlock()
	if !ok || !there {
		http.NotFound(w, r)
		return
	}
	if !h.plain {
		w.Header().Set("X-Repo-Commit", revision)
	}
	if !strings.HasSuffix(name, ".safetensors") {
		w.Header().Set("ETag", `W/"`+gitBlob(raw)+`"`)
		h.serve(w, r, name, raw)
		return
	}
	w.Header().Set("X-Linked-ETag", `"`+sha(raw)+`"`)
	w.Header().Set("X-Linked-Size", fmt.Sprint(len(raw)))
	http.Redirect(w, r, h.store.URL+"/"+revision+"/"+name+"?signature=secret", http.StatusFound)
}

func gitBlob(raw []byte) string {
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(raw)), raw...)) //nolint:gosec // git's
	return hex.EncodeToString(sum[:])
}

func sha(raw []byte) string { sum := sha256.Sum256(raw); return hex.EncodeToString(sum[:]) }

// bytes is the other server: its ETags are its own.
func (h *fakeHub) bytes(w http.ResponseWriter, r *http.Request) {
	revision, name, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	h.mu.Lock()
	raw := h.revisions[revision][name]
	h.tokens = append(h.tokens, r.Header.Get("Authorization"))
	h.mu.Unlock()
	w.Header().Set("ETag", `"store-`+revision+`"`)
	h.serve(w, r, name, raw)
}

func (h *fakeHub) serve(w http.ResponseWriter, r *http.Request, name string, raw []byte) {
	h.mu.Lock()
	h.asked = append(h.asked, name+" "+r.Header.Get("Range"))
	h.counts[name]++
	n, trouble := h.counts[name], h.trouble
	h.mu.Unlock()
	if trouble == nil || !trouble(w, r, name, n, raw) {
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(raw))
	}
}

// breakOff sends the first bytes of a whole answer and ends the connection.
func breakOff(w http.ResponseWriter, raw []byte, after int) {
	w.Header().Set("Content-Length", fmt.Sprint(len(raw)))
	w.Write(raw[:after])
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}

// client is a hub's client that does not really wait between tries; it notes how long it would have.
type client struct {
	weights.Hub
	waits []time.Duration
}

func (h *fakeHub) client(folder string) *client {
	c := &client{Hub: weights.Hub{Endpoint: h.URL, Folder: folder, Token: "mine", Stall: time.Second}}
	c.Pause = func(ctx context.Context, d time.Duration) error {
		c.waits = append(c.waits, d)
		return ctx.Err()
	}
	return c
}

func (c *client) fetch() (string, error) {
	return weights.Fetch(context.Background(), c.Hub, "owner/name")
}

// checkFetched holds a folder to one revision, byte for byte.
func (h *fakeHub) checkFetched(t *testing.T, folder, commit string) {
	t.Helper()
	for name, want := range h.revisions[commit] {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v; want the %d bytes of %s", name, len(got), err, len(want), commit)
		}
	}
	if parts, _ := filepath.Glob(filepath.Join(folder, "*.part")); len(parts) > 0 {
		t.Errorf("left behind: %v", parts)
	}
}
