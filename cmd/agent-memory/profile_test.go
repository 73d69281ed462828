package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
)

// An operator gets profiles that pprof reads; nobody else does.
func TestOperatorsTakeProfiles(t *testing.T) {
	r := talkative(t, func(c *config.Config) { c.AdminKey, c.APIKeys = "operator", []string{"user"} })
	for _, profile := range []string{"heap", "goroutine", "cpu?seconds=1"} {
		status, raw := r.call(t, http.MethodGet, "/admin/pprof/"+profile, "operator", "")
		unpacked, err := gzip.NewReader(strings.NewReader(raw))
		if err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %v %.200q", profile, status, err, raw)
		}
		if read, err := io.ReadAll(unpacked); err != nil || len(read) == 0 {
			t.Errorf("%s: %d bytes, %v", profile, len(read), err)
		}
	}
	for path, want := range map[string]int{"/admin/pprof/none": 422, "/admin/pprof/cpu?seconds=100": 422} {
		if status, text := r.call(t, http.MethodGet, path, "operator", ""); status != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if status, _ := r.call(t, http.MethodGet, "/admin/pprof/heap", "user", ""); status != http.StatusForbidden {
		t.Errorf("a user's key: %d", status)
	}
	statuses := make(chan int, 2) // of two at once, one is refused
	for _, profile := range []string{"cpu", "trace"} {
		go func() {
			status, _ := r.call(t, http.MethodGet, "/admin/pprof/"+profile+"?seconds=3", "operator", "")
			statuses <- status
		}()
	}
	if a, b := <-statuses, <-statuses; a+b != http.StatusOK+http.StatusConflict {
		t.Errorf("%d and %d", a, b)
	}
}

func TestTopShowsHowAServerIs(t *testing.T) {
	r := talkative(t, nil)
	r.say(t, "watched", "", "hello")
	printed, err := r.command(t, "top", "--once")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"ready", "slots busy", "computed", "TIER", "disk", "TENANT", "default", `"watched"`} {
		if !strings.Contains(printed, part) {
			t.Errorf("no %q in\n%s", part, printed)
		}
	}
	if printed, err = r.command(t, "top", "--json"); err != nil || !strings.Contains(printed, `"ready": true`) || !strings.Contains(printed, `"semantic_queue_depth": 0`) {
		t.Errorf("%v %s", err, printed)
	}
}

// Rates are those between two looks.
func TestRatesAreBetweenTwoLooks(t *testing.T) {
	at := time.Now()
	before, now := &snapshot{At: at, Tokens: map[string]float64{"cached": 100}}, &snapshot{At: at.Add(2 * time.Second), Tokens: map[string]float64{"cached": 350}}
	if rate := now.rate(before, "cached"); rate != "125/s" {
		t.Error(rate)
	}
	if rate := before.rate(now, "cached"); rate != "0/s" { // the server was restarted
		t.Error(rate)
	}
}
