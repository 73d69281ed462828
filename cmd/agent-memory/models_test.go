package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
	"github.com/agent-memory/agent-memory/platform/hub/hubtest"
)

// hubOf is a hub with a tiny model that this process's environment names, with a cache of its own.
func hubOf(t *testing.T) *hubtest.Hub {
	files := map[string][]byte{"tokenizer.json": []byte("{}"), "tokenizer_config.json": []byte("{}"), "README.md": []byte("not needed")}
	read := func(folder string) {
		there, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range there {
			if files[f.Name()], err = os.ReadFile(filepath.Join(folder, f.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	tiny := weightstest.Default()
	tiny.Shards = 2
	read(weightstest.Write(t, tiny))
	raw, err := os.ReadFile(weightstest.WriteGGUF(t, weightstest.Default()))
	if err != nil {
		t.Fatal(err)
	}
	files["tiny-F32.gguf"], files["tiny-Q4_0.gguf"] = raw, raw
	h := hubtest.New(t, files)
	for name, value := range map[string]string{
		"HF_ENDPOINT": h.URL, "HF_HOME": t.TempDir(), "HF_TOKEN": "hf_mine", "HF_HUB_CACHE": "", "HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "",
	} {
		t.Setenv(name, value)
	}
	return h
}

// command runs a command line and returns what it prints.
func command(t *testing.T, args ...string) (out, progress string, err error) {
	t.Helper()
	var o, e strings.Builder
	err = run(t.Context(), args, &o, &e)
	if strings.Contains(o.String()+e.String(), "hf_mine") {
		t.Errorf("%v prints the token", args)
	}
	return o.String(), e.String(), err
}

func TestModelsArePulledListedAndRemoved(t *testing.T) {
	h := hubOf(t)
	out, progress, err := command(t, "models", "pull", "owner/name")
	if err != nil || !strings.Contains(out, filepath.Join("models--owner--name", "snapshots", hubtest.First)) ||
		!strings.Contains(progress, "downloading config.json") {
		t.Fatalf("%s%s%v", out, progress, err)
	}
	if asked := strings.Join(h.Asked(), " "); strings.Contains(asked, "README") || strings.Contains(asked, "gguf") {
		t.Errorf("was fetched without need: %s", asked)
	}
	if out, _, err := command(t, "models", "pull", "owner/name:Q4_0", "--json"); err != nil || !strings.Contains(out, "tiny-Q4_0.gguf") {
		t.Errorf("a GGUF: %s, %v", out, err)
	}
	var list []keptModel
	out, _, err = command(t, "models", "list", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	if err != nil || len(list) != 2 || list[0].ID != "owner/name:tiny-Q4_0.gguf" || list[1].ID != "owner/name" {
		t.Fatalf("%s, %v", out, err)
	}
	for _, m := range list {
		if m.Architecture != "llama" || m.Quantisation == "" || m.Context == 0 || m.Bytes == 0 || m.Problem != "" {
			t.Errorf("%+v", m)
		}
	}
	if _, _, err := command(t, "models", "rm", "owner/name:Q4_0", "--yes"); err == nil || !strings.Contains(err.Error(), "as a whole") {
		t.Error(err)
	}
	if out, _, err := command(t, "models", "rm", "owner/name", "--yes"); err != nil || !strings.Contains(out, "removed owner/name") {
		t.Errorf("%s, %v", out, err)
	}
	if _, _, err := command(t, "models", "rm", "owner/name", "--yes"); err == nil || !strings.Contains(err.Error(), "models list") {
		t.Error(err)
	}
	if out, _, err := command(t, "models"); err != nil || !strings.Contains(out, "there is no model") {
		t.Errorf("%s, %v", out, err)
	}
}

func TestWhatIsNoModelIsToldPlainly(t *testing.T) {
	hubOf(t)
	for id, want := range map[string]string{
		"owner/name:Q8_0": "tiny-F32.gguf, tiny-Q4_0.gguf", "../../etc": "no such file or folder", "owner/name@v2": "no revision v2",
		"owner/other": "there is no repository owner/other", "name": "owner/name:file", "owner/name:": "behind its colon",
	} {
		if _, _, err := command(t, "models", "pull", id); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", id, err, want)
		}
	}
}

// While a server starts it tells how far the pull is; then it needs the hub no more, and nobody removes the model.
func TestAServerPullsItsModelAtTheStart(t *testing.T) {
	h := hubOf(t)
	half, goOn := make(chan struct{}), make(chan struct{})
	h.SetTrouble(func(_ http.ResponseWriter, _ *http.Request, name string, n int, _ []byte) bool {
		if name == "model-00002-of-00002.safetensors" && n == 1 {
			close(half)
			<-goOn
		}
		return false
	})
	found := &library{}
	defer found.release()
	locate := func(progress func(string, float64)) (string, error) {
		return found.locate(t.Context(), "owner/name", progress)
	}
	r := beginAt(t, locate, enginetest.Config{}, byteText{}, nil)
	<-half
	answer := r.get(t, "/health/startup")
	body, err := io.ReadAll(answer.Body)
	var at struct {
		Phase    string
		Progress float64
	}
	if err := json.Unmarshal(body, &at); err != nil {
		t.Fatal(err)
	}
	if err != nil || answer.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(at.Phase, "downloading model-0000") || at.Progress < 0.2 || at.Progress > 0.9 {
		t.Errorf("%d %s, %v", answer.StatusCode, body, err)
	}
	close(goOn)
	for r.get(t, "/health/ready").StatusCode != http.StatusOK {
	}
	if _, _, err := command(t, "models", "rm", "owner/name", "--yes"); err == nil || !strings.Contains(err.Error(), "a running process uses it") {
		t.Errorf("the model of a running server: %v", err)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	if _, err := locate(func(string, float64) {}); err != nil {
		t.Errorf("without a hub: %v", err)
	}
}

func TestAServerThatCannotPullItsModelEndsWithOneLine(t *testing.T) {
	h := hubOf(t)
	h.Refuse(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("X-Error-Code", "GatedRepo")
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	found := &library{}
	r := beginAt(t, func(progress func(string, float64)) (string, error) {
		return found.locate(t.Context(), "owner/name", progress)
	},
		enginetest.Config{}, byteText{}, nil)
	err := <-r.ended
	if err == nil || !strings.Contains(err.Error(), "SEMANTIC_MLX_MODEL_ID") || !strings.Contains(err.Error(), "gated") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

// A server that is told to end in the middle of its pull has not failed.
func TestAServerThatIsToldToEndWhileItPulls(t *testing.T) {
	h := hubOf(t)
	ctx, leave := context.WithCancelCause(t.Context())
	h.SetTrouble(func(_ http.ResponseWriter, r *http.Request, name string, _ int, _ []byte) bool {
		if !strings.HasSuffix(name, ".safetensors") {
			return false
		}
		leave(errors.New("told to end"))
		<-r.Context().Done()
		return true
	})
	for name, value := range map[string]string{
		"SEMANTIC_MLX_MODEL_ID": "owner/name", "SEMANTIC_SERVER_PORT": "0", "SEMANTIC_AGENT_CACHE_DIR": t.TempDir(), "ANTHROPIC_API_KEY": "", "SEMANTIC_ADMIN_KEY": "",
	} {
		t.Setenv(name, value)
	}
	if err := run(ctx, []string{"serve"}, io.Discard, io.Discard); err != nil {
		t.Error(err)
	}
}
