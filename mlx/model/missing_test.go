//go:build cgo

package model

import (
	"os"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

// TestAModelWithoutATensorOfItsLayersIsRefused: the settings ask for biases or norms that the weights do not
// have.
func TestAModelWithoutATensorOfItsLayersIsRefused(t *testing.T) {
	plain := func(family string, more string) string {
		tiny := weightstest.Default()
		dir := weightstest.Write(t, tiny)
		raw, err := os.ReadFile(dir + "/config.json")
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(raw), `"model_type":"llama"`, `"model_type":"`+family+`"`+more, 1)
		if err := os.WriteFile(dir+"/config.json", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for want, path := range map[string]string{
		"layers.0.q.bias": plain("llama", `,"attention_bias":true`),
		"layers.0.q_norm": plain("qwen3", ""),
	} {
		w, err := weights.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, dtype := range []string{"auto", "float32"} {
			_, err := Open(Config{Weights: w, Device: "cpu", Dtype: dtype, ISA: "plain"})
			if err == nil || !strings.Contains(err.Error(), "the model has no tensor "+want) {
				t.Errorf("%s %s: %v", dtype, want, err)
			}
		}
		w.Close()
	}
}
