package weights_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// interrupted leaves a folder in which the first shard has its first 40,000 bytes, as a process that was
// killed.
func interrupted(t *testing.T, h *fakeHub) string {
	cache := t.TempDir()
	h.trouble = func(w http.ResponseWriter, _ *http.Request, name string, n int, raw []byte) bool {
		if name == shard && n == 1 {
			breakOff(w, raw, 40_000)
		}
		if name == shard {
			w.WriteHeader(500)
		}
		return name == shard
	}
	if _, err := h.client(cache).fetch(); err == nil || !strings.Contains(err.Error(), "start again to go on") {
		t.Fatalf("a hub that only fails: %v", err)
	}
	h.trouble, h.asked = nil, nil
	return cache
}

func partOf(cache string) string {
	return filepath.Join(cache, "owner--name", shard+".part")
}

func TestAnInterruptedDownloadGoesOn(t *testing.T) {
	h := newFakeHub(t)
	cache := interrupted(t, h)
	folder, err := h.client(cache).fetch()
	if err != nil {
		t.Fatal(err)
	}
	h.checkFetched(t, folder, firstCommit)
	if !slices.Contains(h.asked, shard+" bytes=40000-") {
		t.Errorf("the part was not continued: %v", h.asked)
	}
}

// The folder stays with the revision that it was begun with, whatever main is by now.
func TestARevisionThatChangesBetweenTwoTries(t *testing.T) {
	h := newFakeHub(t)
	cache := interrupted(t, h)
	h.main = secondCommit
	folder, err := h.client(cache).fetch()
	if err != nil {
		t.Fatal(err)
	}
	h.checkFetched(t, folder, firstCommit)
}

// A mirror that tells no commit can't be held to one; a part of other contents is never continued.
func TestContentsThatChangeOnAMirrorWithoutCommits(t *testing.T) {
	h := newFakeHub(t)
	h.plain = true
	cache := interrupted(t, h)
	h.main = secondCommit
	folder, err := h.client(cache).fetch()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(folder, shard))
	if err != nil || !bytes.Equal(got, h.revisions[secondCommit][shard]) {
		t.Errorf("%d bytes, %v: not those of the second revision", len(got), err)
	}
}

func TestARevisionThatIsGoneIsNamed(t *testing.T) {
	h := newFakeHub(t)
	cache := interrupted(t, h)
	h.main = secondCommit
	delete(h.revisions, firstCommit)
	_, err := h.client(cache).fetch()
	if err == nil || !strings.Contains(err.Error(), firstCommit) || !strings.Contains(err.Error(), "remove that folder") {
		t.Errorf("%v", err)
	}
}

// Parts as a kill, a full disk or another program leaves them: whole, too long, of other bytes, without a
// note of whose they are.
func TestPartsOfAllKinds(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, cache string, raw, other []byte){
		"whole":                   func(t *testing.T, cache string, raw, _ []byte) { write(t, partOf(cache), raw) },
		"whole but for its bytes": func(t *testing.T, cache string, raw, _ []byte) { write(t, partOf(cache), flipped(raw)) },
		"too long":                func(t *testing.T, cache string, raw, _ []byte) { write(t, partOf(cache), append(raw, raw...)) },
		"empty":                   func(t *testing.T, cache string, _, _ []byte) { write(t, partOf(cache), nil) },
		"of another revision":     func(t *testing.T, cache string, _, other []byte) { write(t, partOf(cache), other[:50_000]) },
		"all of another revision": func(t *testing.T, cache string, _, other []byte) { write(t, partOf(cache), other) },
		"without a note": func(t *testing.T, cache string, _, other []byte) {
			write(t, partOf(cache), other[:50_000])
			remove(t, filepath.Join(cache, "owner--name", "fetch.json"))
		},
		"with a damaged note": func(t *testing.T, cache string, raw, _ []byte) {
			write(t, partOf(cache), raw)
			write(t, filepath.Join(cache, "owner--name", "fetch.json"), []byte(`{"revision":"../..","parts":{"`))
		},
		"with a note of a hostile revision": func(t *testing.T, cache string, _, _ []byte) {
			write(t, filepath.Join(cache, "owner--name", "fetch.json"), []byte(`{"revision":"../../x","complete":true}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFakeHub(t)
			cache := interrupted(t, h)
			change(t, cache, slices.Clone(h.revisions[firstCommit][shard]), h.revisions[secondCommit][shard])
			folder, err := h.client(cache).fetch()
			if err != nil {
				t.Fatalf("%v\n%s", err, strings.Join(h.asked, "\n"))
			}
			h.checkFetched(t, folder, firstCommit)
		})
	}
}

func write(t *testing.T, path string, raw []byte) {
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// A mirror without digests that changes its file and takes no notice of If-Range: the ETag alone tells.
func TestAMirrorThatIgnoresIfRange(t *testing.T) {
	h := newFakeHub(t)
	h.plain = true
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/owner/name/resolve/"), "/")
		raw, there := h.revisions[h.main][name]
		if !there {
			http.NotFound(w, r)
			return
		}
		r.Header.Del("If-Range")
		w.Header().Set("ETag", `"`+h.main[:5]+`"`)
		h.serve(w, r, name, raw)
	}))
	t.Cleanup(mirror.Close)
	h.Server.URL, h.main = mirror.URL, firstCommit
	cache := interrupted(t, h)
	h.main = secondCommit
	folder, err := h.client(cache).fetch()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(folder, shard))
	if err != nil || !bytes.Equal(got, h.revisions[secondCommit][shard]) {
		t.Errorf("%d bytes, %v: not those of the second revision", len(got), err)
	}
}
