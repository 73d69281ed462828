package hub_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/platform/hub"
	"github.com/agent-memory/agent-memory/platform/hub/hubtest"
)

func TestARepositoryIsPulledInPiecesAndFoundWithoutAHub(t *testing.T) {
	h := hubtest.New(t, files(1))
	var last hub.Progress
	c := clientOf(h, t.TempDir(), func(c *hub.Config) { c.Progress = func(p hub.Progress) { last = p } })
	folder, err := c.pull(t)
	if err != nil {
		t.Fatal(err)
	}
	c.checkFetched(t, folder, hubtest.First, files(1))
	asked := strings.Join(h.Asked(), "\n")
	for _, piece := range []string{"bytes=0-99999", "bytes=100000-199999", "bytes=200000-299999"} {
		if !strings.Contains(asked, large+" "+piece) {
			t.Errorf("%s was not asked for:\n%s", piece, asked)
		}
	}
	if last.Done != last.Total || last.Total < 350_000 {
		t.Errorf("in the end the progress is %+v", last)
	}
	h.SetTrouble(nil)
	if _, err := c.pull(t); err != nil || len(h.Asked()) > 0 {
		t.Errorf("what is there was asked for again: %v, %v", h.Asked(), err)
	}
	if found, err := clientOf(h, c.cache, func(c *hub.Config) { c.Offline = true }).Find(main); err != nil || found != folder {
		t.Errorf("found %s, %v", found, err)
	}
}

// Whatever happens on the way, the files are those of one commit, byte for byte, in one call.
func TestTroublesThatAPullOutlives(t *testing.T) {
	first := func(n int, do hubtest.Trouble) hubtest.Trouble { // the first n requests for the large file
		return func(w http.ResponseWriter, r *http.Request, name string, i int, raw []byte) bool {
			return name == large && i <= n && do(w, r, name, i, raw)
		}
	}
	for name, do := range map[string]hubtest.Trouble{
		"breaks off at once": first(3, func(w http.ResponseWriter, r *http.Request, _ string, _ int, raw []byte) bool {
			breakOff(w, r, raw, 0)
			return true
		}),
		"breaks off every 20 KB": first(1000, func(w http.ResponseWriter, r *http.Request, _ string, _ int, raw []byte) bool {
			breakOff(w, r, raw, 20_000)
			return true
		}),
		"stalls in the body": first(2, func(w http.ResponseWriter, r *http.Request, _ string, _ int, raw []byte) bool {
			w.Header().Set("Content-Range", fmt.Sprintf("%s/%d", strings.Replace(r.Header.Get("Range"), "=", " ", 1), len(raw)))
			w.WriteHeader(http.StatusPartialContent)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		}),
		"stalls before the head": first(1, func(_ http.ResponseWriter, r *http.Request, _ string, _ int, _ []byte) bool {
			<-r.Context().Done()
			return true
		}),
		"500 for a while": first(3, func(w http.ResponseWriter, _ *http.Request, _ string, _ int, _ []byte) bool {
			w.WriteHeader(http.StatusInternalServerError)
			return true
		}),
		"one flipped byte": first(3, func(w http.ResponseWriter, r *http.Request, name string, _ int, raw []byte) bool {
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(flipped(raw)))
			return true
		}),
		"another range than was asked for": first(1, func(w http.ResponseWriter, _ *http.Request, _ string, _ int, raw []byte) bool {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 7-%d/%d", len(raw)-1, len(raw)))
			w.WriteHeader(http.StatusPartialContent)
			w.Write(raw[7:])
			return true
		}),
		"a range of a file of another size": first(1, func(w http.ResponseWriter, r *http.Request, name string, _ int, raw []byte) bool {
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(append(raw, 1)))
			return true
		}),
		"416": first(2, func(w http.ResponseWriter, _ *http.Request, _ string, _ int, _ []byte) bool {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return true
		}),
		"whole files only": first(1000, func(w http.ResponseWriter, _ *http.Request, _ string, _ int, raw []byte) bool {
			w.Write(raw)
			return true
		}),
		"a whole file that breaks off": first(5, func(w http.ResponseWriter, r *http.Request, _ string, _ int, raw []byte) bool {
			r.Header.Del("Range")
			breakOff(w, r, raw, 90_000)
			return true
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hubtest.New(t, files(1))
			h.SetTrouble(do)
			c := clientOf(h, t.TempDir(), nil)
			folder, err := c.pull(t)
			if err != nil {
				t.Fatalf("%v\n%s", err, strings.Join(h.Asked(), "\n"))
			}
			c.checkFetched(t, folder, hubtest.First, files(1))
		})
	}
}

func TestARateLimitIsKeptToTheSecond(t *testing.T) {
	h := hubtest.New(t, files(1))
	h.SetTrouble(func(w http.ResponseWriter, _ *http.Request, name string, n int, _ []byte) bool {
		if name == "config.json" && n <= 2 {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader([]int{0, 429, 503}[n])
			return true
		}
		return false
	})
	c := clientOf(h, t.TempDir(), nil)
	if _, err := c.pull(t); err != nil || len(c.waits) != 2 || c.waits[0] != 7*time.Second || c.waits[1] != 7*time.Second {
		t.Errorf("%v; waited %v, was asked for 7 s twice", err, c.waits)
	}
}

// The files are of the commit that the list was of, whatever main is by then.
func TestACommitThatChangesBetweenTwoFiles(t *testing.T) {
	h := hubtest.New(t, files(1))
	h.SetTrouble(func(_ http.ResponseWriter, _ *http.Request, name string, _ int, _ []byte) bool {
		if name == "config.json" {
			h.Commit(hubtest.Second, files(2))
		}
		return false
	})
	c := clientOf(h, t.TempDir(), nil)
	folder, err := c.pull(t)
	if err != nil {
		t.Fatal(err)
	}
	c.checkFetched(t, folder, hubtest.First, files(1))
	if folder, err = c.pull(t); err != nil {
		t.Fatal(err)
	}
	c.checkFetched(t, folder, hubtest.Second, files(2))
}

// The token goes to the hub and to nobody else, and neither it nor a signed address into a message.
func TestSecretsStayWhereTheyBelong(t *testing.T) {
	h := hubtest.New(t, files(1))
	if _, err := clientOf(h, t.TempDir(), nil).pull(t); err != nil {
		t.Fatal(err)
	}
	if at := h.Tokens("store"); len(at) == 0 || strings.Join(at, "") != "" {
		t.Errorf("the store was shown %q", at)
	}
	if at := h.Tokens("hub"); at[0] != "Bearer hf_mine" {
		t.Errorf("the hub was shown %q", at)
	}
	h.Store.Close()
	_, err := clientOf(h, t.TempDir(), nil).pull(t)
	if err == nil || strings.Contains(err.Error(), "signature") || strings.Contains(err.Error(), "hf_mine") {
		t.Errorf("a store that is away: %v", err)
	}
}

// Two that pull into one cache: each file is fetched once.
func TestTwoClientsOfOneCache(t *testing.T) {
	h, cache := hubtest.New(t, files(1)), t.TempDir()
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			c := clientOf(h, cache, nil)
			folder, err := c.pull(t)
			if err != nil {
				t.Error(err)
				return
			}
			c.checkFetched(t, folder, hubtest.First, files(1))
		})
	}
	both.Wait()
	if sent := h.Sent(); sent > 350_100 {
		t.Errorf("%d bytes were sent", sent)
	}
}

func TestADiskThatIsTooSmallIsToldBeforeAnythingIsFetched(t *testing.T) {
	h := hubtest.New(t, files(1))
	c := clientOf(h, t.TempDir(), func(c *hub.Config) { c.Free = func(string) (int64, error) { return 1 << 20, nil } })
	_, err := c.pull(t)
	if err == nil || !strings.Contains(err.Error(), "0.00 GB are free") || !strings.Contains(err.Error(), "HF_HUB_CACHE") || len(h.Asked()) > 0 {
		t.Errorf("%v, asked %v", err, h.Asked())
	}
}

func TestWhatIsInTheCacheIsListedAndRemoved(t *testing.T) {
	h := hubtest.New(t, files(1))
	c := clientOf(h, t.TempDir(), nil)
	folder, err := c.pull(t)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := c.Kept()
	if err != nil || len(kept) != 1 || kept[0].Repository != "owner/name" || kept[0].Folder != folder || kept[0].Revisions[0] != "main" {
		t.Errorf("%+v, %v", kept, err)
	}
	if hub.RepositoryOf(folder) != "owner/name" || hub.RepositoryOf(filepath.Join(folder, "x.gguf")) != "owner/name" || hub.RepositoryOf(t.TempDir()) != "" {
		t.Error("the repository of a snapshot's path is another")
	}
	release, err := c.Use("owner/name")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Remove(main); !errors.Is(err, hub.ErrInUse) {
		t.Errorf("what is in use was removed: %v", err)
	}
	release()
	if err := c.Remove(main); err != nil {
		t.Error(err)
	}
	if err := c.Remove(main); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	if kept, err := c.Kept(); err != nil || len(kept) != 0 {
		t.Errorf("after removal: %v, %v", kept, err)
	}
}
