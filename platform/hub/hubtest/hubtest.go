// Package hubtest is a hub over HTTP, for tests: it lists repositories, sends small files by itself and large ones
// by a redirect to another server, and gets into trouble on request.
package hubtest

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // git names blobs by it
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Commits of a repository.
const (
	First  = "1111111111111111111111111111111111111111"
	Second = "2222222222222222222222222222222222222222"
)

// LargeBytes is from where on a file lies on the other server, and is named by its SHA-256.
const LargeBytes = 4096

// Trouble may answer a request for a file's bytes in the hub's place; n counts those for this file.
type Trouble func(w http.ResponseWriter, r *http.Request, name string, n int, raw []byte) bool

// Hub is one repository, owner/name, in some commits.
type Hub struct {
	URL   string
	Store *httptest.Server // where redirects lead

	mu      sync.Mutex
	commits map[string]map[string][]byte
	main    string
	trouble Trouble
	change  func(listing map[string]any)
	asked   []string // "NAME RANGE" of each request for bytes
	counts  map[string]int
	tokens  map[string][]string // the Authorization of each request, by "hub" and "store"
	refusal func(w http.ResponseWriter, r *http.Request) bool
	sent    int64
}

// New starts a hub whose main is the first commit, with these files.
func New(t testing.TB, files map[string][]byte) *Hub {
	h := &Hub{main: First, commits: map[string]map[string][]byte{First: files}, counts: map[string]int{}, tokens: map[string][]string{}}
	front := httptest.NewServer(http.HandlerFunc(h.front))
	h.URL, h.Store = front.URL, httptest.NewServer(http.HandlerFunc(h.store))
	t.Cleanup(front.Close)
	t.Cleanup(h.Store.Close)
	return h
}

// Commit makes main another commit, with these files.
func (h *Hub) Commit(name string, files map[string][]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.commits[name], h.main = files, name
}

// SetTrouble has a function asked before bytes are sent; nil ends it.
func (h *Hub) SetTrouble(t Trouble) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trouble, h.asked, h.counts, h.sent = t, nil, map[string]int{}, 0
}

// ChangeListing has a function change what the hub lists before it is sent.
func (h *Hub) ChangeListing(change func(listing map[string]any)) { h.change = change }

// Refuse has a function asked before anything is answered.
func (h *Hub) Refuse(refusal func(w http.ResponseWriter, r *http.Request) bool) { h.refusal = refusal }

// Asked tells of the requests for bytes: their file and Range.
func (h *Hub) Asked() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string{}, h.asked...)
}

// Sent is how many bytes of files clients were sent, troubles left out.
func (h *Hub) Sent() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sent
}

// Tokens are the headers by which clients told who they are, at the "hub" or at the "store".
func (h *Hub) Tokens(at string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string{}, h.tokens[at]...)
}

func (h *Hub) note(at string, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tokens[at] = append(h.tokens[at], r.Header.Get("Authorization"))
}

// front answers /api/models/owner/name/revision/REVISION and /owner/name/resolve/REVISION/FILE.
func (h *Hub) front(w http.ResponseWriter, r *http.Request) {
	h.note("hub", r)
	if h.refusal != nil && h.refusal(w, r) {
		return
	}
	if revision, ok := strings.CutPrefix(r.URL.Path, "/api/models/owner/name/revision/"); ok {
		h.list(w, revision)
		return
	}
	revision, name, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/owner/name/resolve/"), "/")
	commit, files := h.at(revision)
	raw, there := files[name]
	if !ok || !there {
		w.Header().Set("X-Error-Code", "RepoNotFound")
		http.NotFound(w, r)
		return
	}
	w.Header().Set("X-Repo-Commit", commit)
	if len(raw) < LargeBytes {
		w.Header().Set("ETag", `"`+GitBlob(raw)+`"`)
		h.serve(w, r, name, raw)
		return
	}
	w.Header().Set("X-Linked-ETag", `"`+SHA256(raw)+`"`)
	w.Header().Set("X-Linked-Size", fmt.Sprint(len(raw)))
	http.Redirect(w, r, h.Store.URL+"/"+commit+"/"+name+"?signature=secret", http.StatusFound)
}

// at is the commit that a revision is, and its files.
func (h *Hub) at(revision string) (string, map[string][]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if revision == "main" {
		revision = h.main
	}
	return revision, h.commits[revision]
}

func (h *Hub) list(w http.ResponseWriter, revision string) {
	commit, files := h.at(revision)
	if files == nil {
		w.Header().Set("X-Error-Code", "RevisionNotFound")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	siblings := []map[string]any{}
	for name, raw := range files {
		s := map[string]any{"rfilename": name, "size": len(raw), "blobId": GitBlob(raw)}
		if len(raw) >= LargeBytes {
			s["lfs"] = map[string]any{"sha256": SHA256(raw), "size": len(raw), "pointerSize": 134}
		}
		siblings = append(siblings, s)
	}
	listing := map[string]any{"id": "owner/name", "sha": commit, "siblings": siblings}
	if h.change != nil {
		h.change(listing)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(listing) // a client that went away
}

// GitBlob is git's name of a file's contents.
func GitBlob(raw []byte) string {
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(raw)), raw...)) //nolint:gosec // git's
	return hex.EncodeToString(sum[:])
}

// SHA256 is the name of a large file's contents.
func SHA256(raw []byte) string { sum := sha256.Sum256(raw); return hex.EncodeToString(sum[:]) }

// store is the other server: its ETags are its own.
func (h *Hub) store(w http.ResponseWriter, r *http.Request) {
	h.note("store", r)
	commit, name, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	_, files := h.at(commit)
	w.Header().Set("ETag", `"store-`+commit+`"`)
	h.serve(w, r, name, files[name])
}

func (h *Hub) serve(w http.ResponseWriter, r *http.Request, name string, raw []byte) {
	h.mu.Lock()
	h.asked = append(h.asked, name+" "+r.Header.Get("Range"))
	h.counts[name]++
	n, trouble := h.counts[name], h.trouble
	h.mu.Unlock()
	if trouble == nil || !trouble(w, r, name, n, raw) {
		http.ServeContent(&counted{w, h}, r, name, time.Time{}, bytes.NewReader(raw))
	}
}

// counted counts the bytes of a body.
type counted struct {
	http.ResponseWriter
	hub *Hub
}

// Write implements io.Writer.
func (c *counted) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.hub.mu.Lock()
	c.hub.sent += int64(n)
	c.hub.mu.Unlock()
	return n, err
}
