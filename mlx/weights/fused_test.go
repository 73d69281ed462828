package weights_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

// TestFusedTensorsAreReadAsTheirPieces holds the pieces to the rows of the whole.
func TestFusedTensorsAreReadAsTheirPieces(t *testing.T) {
	four := weightstest.Golden()["phi3-4bit"]
	for name, path := range map[string]string{
		"folder": weightstest.Write(t, weightstest.DefaultPhi3()), "GGUF": weightstest.WriteGGUF(t, weightstest.DefaultPhi3()),
		"MLX's 4 bits": weightstest.Write(t, four),
	} {
		m := open(t, path)
		inner := m.Config.Layers[0].Intermediate
		var before weights.Tensor
		for _, x := range []struct {
			part string
			rows int
		}{{"q", 64}, {"k", 32}, {"v", 32}, {"gate", inner}, {"up", inner}} {
			piece, err := m.Tensor("layers.1."+x.part, x.rows, 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if bytes.Equal(piece.Data, before.Data) {
				t.Errorf("%s: %s is what the piece before it is", name, x.part)
			}
			before = piece
		}
		if m.Has("layers.0.qkv") || m.Has("layers.0.gate_up") {
			t.Errorf("%s: a fused tensor is still there", name)
		}
	}
}

func TestAFusedTensorOfAWrongShapeIsOneClearLine(t *testing.T) {
	folder := weightstest.Write(t, weightstest.DefaultPhi3())
	config := filepath.Join(folder, "config.json")
	raw, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	raw = bytes.Replace(raw, []byte(`"num_key_value_heads":2`), []byte(`"num_key_value_heads":1`), 1)
	if err := os.WriteFile(config, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := weights.Open(folder); err == nil || !strings.Contains(err.Error(), "qkv_proj.weight has shape [128 64], the configuration says 96 rows") {
		t.Errorf("a fused tensor of another shape: %v", err)
	}
}
