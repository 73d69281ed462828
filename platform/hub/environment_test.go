package hub_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/agent-memory/agent-memory/platform/hub"
)

func TestTheEnvironmentOfOtherClientsCounts(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.WriteFile(filepath.Join(home, "token"), []byte("hf_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		variables    map[string]string
		cache, token string
		offline      bool
	}{
		"nothing":      {map[string]string{"HOME": home}, filepath.Join(home, ".cache/huggingface/hub"), "", false},
		"XDG":          {map[string]string{"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub", "", false},
		"a home":       {map[string]string{"HF_HOME": home, "HOME": "/h"}, filepath.Join(home, "hub"), "hf_file", false},
		"a cache":      {map[string]string{"HF_HOME": home, "HF_HUB_CACHE": "~/c", "HF_TOKEN": " hf_mine "}, filepath.Join(home, "c"), "hf_mine", false},
		"no file":      {map[string]string{"HF_HOME": home, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, filepath.Join(home, "hub"), "", false},
		"a token path": {map[string]string{"HF_HOME": "/h", "HF_TOKEN_PATH": filepath.Join(home, "token")}, "/h/hub", "hf_file", false},
		"offline":      {map[string]string{"HF_HOME": "/h", "HF_HUB_OFFLINE": "ON"}, "/h/hub", "", true},
	} {
		got, err := hub.FromEnvironment(func(name string) string { return c.variables[name] })
		if err != nil || got.Cache != c.cache || got.Token != c.token || got.Offline != c.offline {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := hub.FromEnvironment(func(string) string { return "" }); err == nil {
		t.Error("a cache was found by no variable")
	}
}

func TestNamesOfRepositories(t *testing.T) {
	for id, want := range map[string]string{
		"owner/name": "owner/name main ", "a.b/c-d_e:Q4_K_M": "a.b/c-d_e main Q4_K_M", "owner/name@refs/pr/1:sub/x.gguf": "owner/name refs/pr/1 sub/x.gguf",
	} {
		ref, pick, err := hub.Parse(id)
		if got := ref.Repository + " " + ref.Revision + " " + pick; err != nil || got != want {
			t.Errorf("%s: %q, %v", id, got, err)
		}
	}
	for _, id := range []string{
		"", "name", "a/b/c", "../b", "a/..", "a/b..c", "a/b--c", "/a/b", "a/b@", "a/b@../x", "a/b@x//y", "a/b:", "a b/c", "a/b\n", "-a/b", `a\b/c`, "a/b@/x",
	} {
		if ref, _, err := hub.Parse(id); err == nil {
			t.Errorf("%q is %+v", id, ref)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, id := range []string{"owner/name", "owner/name@v1:Q4", "../../x", "a/b@..:"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		ref, _, err := hub.Parse(id)
		if err != nil {
			return
		}
		h := hub.New(hub.Config{Cache: t.TempDir()})
		if _, err := h.Find(ref); err == nil {
			t.Errorf("%q leads out of an empty cache", id)
		}
	})
}
