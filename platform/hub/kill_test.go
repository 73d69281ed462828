package hub_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/platform/hub"
	"github.com/agent-memory/agent-memory/platform/hub/hubtest"
)

// proxy stands before a hub and changes the heads of its answers.
func proxy(t *testing.T, address string, change func(http.Header)) string {
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := httputil.NewSingleHostReverseProxy(at)
	p.ModifyResponse = func(r *http.Response) error { change(r.Header); return nil }
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return s.URL
}

const childVariable = "HUB_TEST_CHILD"

// TestMain is also the process that is killed.
func TestMain(m *testing.M) {
	if at := os.Getenv(childVariable); at != "" {
		endpoint, cache, _ := strings.Cut(at, " ")
		_, err := hub.New(hub.Config{Endpoint: endpoint, Cache: cache, PieceBytes: 4 << 20, Workers: 2}).Pull(context.Background(), main, everything)
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A process that is killed in the middle of a file: the next one asks again for no more than what two workers had
// not noted yet.
func TestAProcessThatIsKilledIsContinued(t *testing.T) {
	raw := make([]byte, 16<<20)
	for i := range raw {
		raw[i] = byte(i * 7 >> 3)
	}
	want := map[string][]byte{large: raw}
	h, cache := hubtest.New(t, want), t.TempDir()
	stuck := make(chan struct{}, 100)
	h.SetTrouble(func(w http.ResponseWriter, r *http.Request, _ string, n int, raw []byte) bool {
		if n <= 2 {
			return false
		}
		sendSome(w, r, raw, 2<<20+500_000)
		stuck <- struct{}{}
		<-r.Context().Done()
		return true
	})
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+h.URL+" "+cache)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	<-stuck
	<-stuck
	awaitJournal(t, cache, 2, 3)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	h.SetTrouble(nil)
	c := clientOf(h, cache, nil)
	folder, err := c.pull(t)
	if err != nil {
		t.Fatal(err)
	}
	c.checkFetched(t, folder, hubtest.First, want)
	// 8 MiB came whole and 2 x 2 MiB were noted.
	if sent := h.Sent(); sent > 4<<20 || sent < 3<<20 {
		t.Errorf("%d bytes were asked for after the kill: %v", sent, h.Asked())
	}
}

// sendSome sends the first bytes of a range and leaves the rest open.
func sendSome(w http.ResponseWriter, r *http.Request, raw []byte, n int) {
	var from, to int
	fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(raw)))
	w.Header().Set("Content-Length", fmt.Sprint(to+1-from))
	w.WriteHeader(http.StatusPartialContent)
	w.Write(raw[from : from+n])
	w.(http.Flusher).Flush()
}

// awaitJournal waits until two megabytes of each piece are noted.
func awaitJournal(t *testing.T, cache string, pieces ...int) {
	for _, i := range pieces {
		noted := regexp.MustCompile(fmt.Sprintf(`(?m)^%d 2\d{6}$`, i))
		for begin := time.Now(); ; {
			if time.Since(begin) > time.Minute {
				t.Fatalf("piece %d was never noted", i)
			}
			names, _ := filepath.Glob(filepath.Join(cache, "models--owner--name", "blobs", "*.journal.incomplete"))
			if len(names) == 1 {
				if raw, err := os.ReadFile(names[0]); err == nil && noted.Match(raw) {
					break
				}
			}
			time.Sleep(time.Millisecond)
		}
	}
}
