package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/platform/hub"
	"github.com/agent-memory/agent-memory/platform/hub/hubtest"
)

const large = "model.safetensors"

// files are a small one, a large one of some pieces, one in a folder, and an empty one.
func files(seed byte) map[string][]byte {
	raw := make([]byte, 300_000)
	random := rand.NewChaCha8([32]byte{seed})
	random.Read(raw)
	return map[string][]byte{"config.json": fmt.Appendf(nil, `{"seed":%d}`, seed), large: raw, "sub/deep/x.bin": raw[:50_000], "empty": {}}
}

func everything(all []hub.File) ([]hub.File, error) {
	slices.SortFunc(all, func(a, b hub.File) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

// client does not really wait between tries; it notes how long it would have.
type client struct {
	*hub.Hub
	cache string
	mu    sync.Mutex
	waits []time.Duration
}

var main = hub.Reference{Repository: "owner/name", Revision: "main"}

func clientOf(h *hubtest.Hub, cache string, change func(*hub.Config)) *client {
	c := &client{cache: cache}
	config := hub.Config{Endpoint: h.URL, Cache: cache, Token: "hf_mine", Stall: time.Second, PieceBytes: 100_000, Workers: 3}
	config.Pause = func(ctx context.Context, d time.Duration) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.waits = append(c.waits, d)
		return ctx.Err()
	}
	if change != nil {
		change(&config)
	}
	c.Hub = hub.New(config)
	return c
}

func (c *client) pull(t *testing.T) (string, error) { return c.Pull(t.Context(), main, everything) }

// checkFetched holds a snapshot to files, byte for byte, in the form that other clients read.
func (c *client) checkFetched(t *testing.T, folder, commit string, want map[string][]byte) {
	t.Helper()
	if folder != filepath.Join(c.cache, "models--owner--name", "snapshots", commit) {
		t.Errorf("the snapshot is %s", folder)
	}
	for name, raw := range want {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%s: %d bytes, %v; want %d of %s", name, len(got), err, len(raw), commit)
		}
		link, err := os.Readlink(filepath.Join(folder, name))
		if err != nil || filepath.IsAbs(link) || !strings.Contains(link, "../../blobs/") {
			t.Errorf("%s is the link %q, %v", name, link, err)
		}
	}
	if ref, err := os.ReadFile(filepath.Join(c.cache, "models--owner--name", "refs", "main")); err != nil || string(ref) != commit {
		t.Errorf("refs/main is %q, %v", ref, err)
	}
	if left, _ := filepath.Glob(filepath.Join(c.cache, "models--owner--name", "blobs", "*.*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// breakOff sends the first bytes of what was asked for and ends the connection.
func breakOff(w http.ResponseWriter, r *http.Request, raw []byte, after int) {
	begin, end := 0, len(raw)-1
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &begin, &end); n > 0 {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", begin, end, len(raw)))
		w.Header().Set("Content-Length", fmt.Sprint(end+1-begin))
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.Header().Set("Content-Length", fmt.Sprint(len(raw)))
	}
	w.Write(raw[begin:min(begin+after, end+1)])
	w.(http.Flusher).Flush()
	if begin+after <= end {
		panic(http.ErrAbortHandler)
	}
}

func flipped(raw []byte) []byte {
	raw = slices.Clone(raw)
	raw[len(raw)-3] ^= 1
	return raw
}
