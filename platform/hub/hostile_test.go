package hub_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/platform/hub"
	"github.com/agent-memory/agent-memory/platform/hub/hubtest"
)

func TestNamesAndSizesThatNoFileCanHave(t *testing.T) {
	digest := strings.Repeat("a", 64)
	for _, c := range []struct {
		file map[string]any
		want string
	}{
		{map[string]any{"rfilename": "../../../escaped", "size": 3, "blobId": digest}, "leads out"},
		{map[string]any{"rfilename": "/etc/escaped", "size": 3, "blobId": digest}, "leads out"},
		{map[string]any{"rfilename": "a/../../escaped", "size": 3, "blobId": digest}, "leads out"},
		{map[string]any{"rfilename": `..\escaped`, "size": 3, "blobId": digest}, "leads out"},
		{map[string]any{"rfilename": "", "size": 3, "blobId": digest}, "leads out"},
		{map[string]any{"rfilename": ".", "size": 3, "blobId": digest}, "leads out"},
		{map[string]any{"rfilename": "x", "size": -3, "blobId": digest}, "-3 bytes"},
		{map[string]any{"rfilename": "x", "size": 1 << 60, "blobId": digest}, "bytes"},
		{map[string]any{"rfilename": "x", "size": 3, "blobId": "../../escaped"}, "no digest"},
		{map[string]any{"rfilename": "x", "size": 3}, "no digest"},
		{map[string]any{"rfilename": "x", "blobId": digest}, "-1 bytes"},
		{map[string]any{"rfilename": 5}, "not what a hub says"},
	} {
		h := hubtest.New(t, files(1))
		h.ChangeListing(func(l map[string]any) { l["siblings"] = []any{c.file} })
		if _, err := clientOf(h, t.TempDir(), nil).pull(t); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.file, err, c.want)
		}
	}
}

func TestAListOfNoCommit(t *testing.T) {
	h := hubtest.New(t, files(1))
	h.ChangeListing(func(l map[string]any) { l["sha"] = "../../x" })
	if _, err := clientOf(h, t.TempDir(), nil).pull(t); err == nil || !strings.Contains(err.Error(), "no commit") {
		t.Error(err)
	}
}

// Links that somebody put into the cache lead nobody out of it.
func TestLinksOutOfTheCacheAreNotFollowed(t *testing.T) {
	for _, name := range []string{"blobs", "snapshots", "snapshots/" + hubtest.First, "refs"} {
		h, cache, outside := hubtest.New(t, files(1)), t.TempDir(), t.TempDir()
		at := filepath.Join(cache, "models--owner--name", name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, at); err != nil {
			t.Fatal(err)
		}
		_, err := clientOf(h, cache, nil).pull(t)
		there, _ := os.ReadDir(outside)
		if err == nil || len(there) > 0 {
			t.Errorf("%s: %v, outside %v", name, err, there)
		}
	}
}

// A list that says another size than the file has, in both directions.
func TestSizesThatLie(t *testing.T) {
	for _, by := range []int{-1000, 1000} {
		for _, hasHeader := range []bool{true, false} {
			h := hubtest.New(t, files(1))
			h.ChangeListing(func(l map[string]any) {
				for _, s := range l["siblings"].([]map[string]any) {
					if lfs, ok := s["lfs"].(map[string]any); ok && s["rfilename"] == large {
						lfs["size"] = 300_000 + by
					}
				}
			})
			if !hasHeader { // the server of the bytes lies as well
				h.SetTrouble(func(w http.ResponseWriter, r *http.Request, name string, _ int, raw []byte) bool {
					var from, to int
					if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n < 2 || name != large {
						return false
					}
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(raw)+by))
					w.WriteHeader(http.StatusPartialContent)
					for range 100 { // and does not end
						w.Write(raw)
					}
					return true
				})
				front := frontWithoutSizes(t, h)
				h.URL = front
			}
			c := clientOf(h, t.TempDir(), nil)
			_, err := c.pull(t)
			if err == nil || !strings.Contains(err.Error(), "not what the hub announced") {
				t.Errorf("by %d, header %v: %v", by, hasHeader, err)
			}
			if taken, _ := filepath.Glob(filepath.Join(c.cache, "models--owner--name", "snapshots", "*", large)); len(taken) > 0 {
				t.Error("the file was taken")
			}
		}
	}
}

// frontWithoutSizes stands before a hub and leaves out what it tells of sizes.
func frontWithoutSizes(t *testing.T, h *hubtest.Hub) string {
	return proxy(t, h.URL, func(header http.Header) { header.Del("X-Linked-Size") })
}

func TestAFileThatIsNeverWhatTheHubAnnounces(t *testing.T) {
	h := hubtest.New(t, files(1))
	h.ChangeListing(func(l map[string]any) {
		for _, s := range l["siblings"].([]map[string]any) {
			if lfs, ok := s["lfs"].(map[string]any); ok && s["rfilename"] == large {
				lfs["sha256"] = strings.Repeat("b", 64)
			}
		}
	})
	c := clientOf(h, t.TempDir(), nil)
	_, err := c.pull(t)
	if err == nil || !strings.Contains(err.Error(), "its digest is") || !strings.Contains(err.Error(), "twice") {
		t.Error(err)
	}
	if _, err := c.Find(main); err == nil {
		t.Error("a ref names a snapshot that is not whole")
	}
}

func TestRepositoriesThatCannotBePulled(t *testing.T) {
	for _, c := range []struct {
		status int
		header []string
		token  string
		want   string
	}{
		{401, []string{"X-Error-Code", "GatedRepo"}, "", "accept its terms at"},
		{403, []string{"X-Error-Code", "GatedRepo"}, "hf_mine", "has no access"},
		{401, []string{"X-Error-Code", "RepoNotFound"}, "", "no repository owner/name"},
		{401, nil, "", "set HF_TOKEN"}, {401, nil, "hf_mine", "not valid"},
		{404, nil, "", "no repository owner/name"},
		{404, []string{"X-Error-Code", "RevisionNotFound"}, "", "no revision main"},
		{418, nil, "", "answered 418"}, {500, nil, "", "5 tries"},
		{429, []string{"Retry-After", "86400"}, "", "asked again in 24h"},
		{429, []string{"Retry-After", "Fri, 01 Jan 2100 00:00:00 GMT"}, "", "asked again in"},
		{302, []string{"Location", "/x"}, "", "in a circle"},
		{302, []string{"Location", "file:///etc/passwd"}, "", "not encrypted"},
		{200, []string{"Content-Encoding", "br"}, "", `"br"`},
		{200, nil, "", "not what a hub says"},
	} {
		h := hubtest.New(t, files(1))
		h.Refuse(func(w http.ResponseWriter, _ *http.Request) bool {
			for i := 0; i < len(c.header); i += 2 {
				w.Header().Set(c.header[i], c.header[i+1])
			}
			w.WriteHeader(c.status)
			return true
		})
		_, err := clientOf(h, t.TempDir(), func(to *hub.Config) { to.Token = c.token }).pull(t)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hf_mine") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%d %v: %v, want %q", c.status, c.header, err, c.want)
		}
	}
}

func TestOfflineNothingIsAsked(t *testing.T) {
	h := hubtest.New(t, files(1))
	_, err := clientOf(h, t.TempDir(), func(c *hub.Config) { c.Offline = true }).pull(t)
	if err == nil || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") || len(h.Tokens("hub")) > 0 {
		t.Error(err)
	}
}
