package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExplainTellsWhereAPromptStopsMatching(t *testing.T) {
	r := talkative(t, nil)
	history := strings.Repeat("history ", 100)
	r.say(t, "a", "", history+"and then this")
	r.durable(t, "/v1/agents/a")
	var told struct {
		Prompt     int                        `json:"prompt_tokens"`
		Cached     int                        `json:"cached_tokens"`
		Parts      []struct{ Tiers []string } `json:"cached"`
		Divergence *struct {
			Token  int    `json:"token"`
			Before string `json:"text_before"`
			After  string `json:"text_after"`
			Reason string `json:"reason"`
		} `json:"divergence"`
		Missing []struct {
			Why string `json:"why"`
		} `json:"missing"`
	}
	explain := func(text string) {
		t.Helper()
		told.Divergence, told.Missing = nil, nil
		sent := fmt.Sprintf(`{"model":"claude-3-5-sonnet-20241022","max_tokens":1,"messages":[{"role":"user","content":%q}]}`, text)
		status, answer := r.call(t, http.MethodPost, "/admin/explain", "", sent)
		if err := json.Unmarshal([]byte(answer), &told); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
	}
	explain(history + "and then that")
	if d := told.Divergence; d == nil || d.Token != len(history)+len("and then th") || !strings.HasSuffix(d.Before, "and then th") ||
		!strings.HasPrefix(d.After, "at") || !strings.Contains(d.Reason, "other tokens") || told.Cached != d.Token {
		t.Errorf("%+v", told)
	}
	explain("something else " + history)
	if told.Cached != 0 || told.Divergence == nil || !strings.Contains(told.Divergence.Reason, "no cached sequence") {
		t.Errorf("%+v", told)
	}
	r.call(t, http.MethodPost, "/admin/pool/trim", "", "")
	explain(history + "and then this")
	if told.Divergence != nil || told.Cached != told.Prompt-1 || fmt.Sprint(told.Parts[0].Tiers) != "[disk]" {
		t.Errorf("%+v", told)
	}
	r.damage(t)
	if status, text := r.call(t, http.MethodPost, "/v1/agents/a/prefetch", "", ""); status != http.StatusServiceUnavailable || !strings.Contains(text, "damaged") {
		t.Errorf("prefetch: %d %s", status, text)
	}
	explain(history + "and then this")
	if d := told.Divergence; d == nil || d.Token != 0 || !strings.Contains(d.Reason, "damaged") || len(told.Missing) == 0 || told.Missing[0].Why != "damaged" {
		t.Errorf("%+v", told)
	}
}

// What a changed system prompt costs is told on the answer and counted.
func TestADivergenceIsCounted(t *testing.T) {
	r := talkative(t, nil)
	r.say(t, "a", "You are A.", "hello")
	r.say(t, "a", "You are B.", "hello")
	if _, exposition := r.call(t, http.MethodGet, "/metrics", "", ""); !strings.Contains(exposition, `semantic_cache_divergences_total{kind="system"} 1`) ||
		!strings.Contains(exposition, `semantic_cache_divergences_total{kind="tools"} 0`) {
		t.Error(exposition)
	}
	r.call(t, http.MethodDelete, "/v1/agents/a", "", "")
	r.say(t, "a", "You are C.", "hello")
	if _, exposition := r.call(t, http.MethodGet, "/metrics", "", ""); !strings.Contains(exposition, `semantic_cache_divergences_total{kind="system"} 1`) {
		t.Error("a deleted agent is remembered")
	}
}

// damage flips the last byte of every full block on disk.
func (r *running) damage(t *testing.T) {
	t.Helper()
	damaged := 0
	err := filepath.WalkDir(filepath.Join(r.cacheDir, blocksDir, "v1"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(entry.Name(), ".") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data[len(data)-1] ^= 1
		damaged++
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil || damaged == 0 {
		t.Fatalf("%d files were damaged, %v", damaged, err)
	}
}
