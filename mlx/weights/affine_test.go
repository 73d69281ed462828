package weights_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

// A quantised matrix lies near the same seed's float32 matrix: half a step of its group's range and what bf16
// cuts off scale and bias.
func TestQuantisedMatricesOfMLXAreNearWhatTheyWereMadeFrom(t *testing.T) {
	for name, c := range map[string]struct {
		bits, group int
		kind        weights.Type
		near        float64
	}{
		"4 bits by 32": {4, 32, weights.Q4_1, 0.1}, "4 bits by 64": {4, 64, weights.Q4_1, 0.1},
		"8 bits by 32": {8, 32, weights.F32, 0.02}, "8 bits by 64": {8, 64, weights.F32, 0.02},
	} {
		tiny := weightstest.DefaultGemma2()
		exact := open(t, weightstest.Write(t, tiny))
		tiny.Bits, tiny.Group = c.bits, c.group
		packed := open(t, weightstest.Write(t, tiny))
		for _, shape := range []struct {
			name       string
			rows, cols int
		}{{"embed", 300, 64}, {"layers.1.down", 64, 128}} {
			want, err := exact.Tensor(shape.name, shape.rows, shape.cols)
			if err != nil {
				t.Fatal(err)
			}
			got, err := packed.Tensor(shape.name, shape.rows, shape.cols)
			if err != nil || got.Type != c.kind {
				t.Fatalf("%s %s: %v %v", name, shape.name, got.Type, err)
			}
			worst, a, b := 0.0, got.Floats(), want.Floats()
			for i := range b {
				worst = max(worst, math.Abs(float64(a[i]-b[i])))
			}
			if !(worst < c.near*3/math.Sqrt(float64(shape.cols))) {
				t.Errorf("%s %s: off by %g", name, shape.name, worst)
			}
		}
		if _, err := packed.Tensor("embed", 300, 65); err == nil {
			t.Errorf("%s: a wrong shape is not refused", name)
		}
	}
}

func TestBrokenOrForeignQuantisationIsRefused(t *testing.T) {
	tiny := weightstest.DefaultGemma2()
	tiny.Bits, tiny.Group = 4, 64
	for name, c := range map[string]struct{ file, from, to, want string }{
		"no scales":    {"model.safetensors", `model.layers.0.self_attn.q_proj.scales`, `model.layers.0.self_attn.q_proj.scalex`, "needs weight, scales and biases"},
		"other mode":   {"config.json", `"bits":4`, `"bits":4,"mode":"mxfp4"`, `"mxfp4" is not supported`},
		"of one layer": {"config.json", `"bits":4`, `"bits":4,"model.layers.0.mlp":{"mode":"nvfp4"}`, `"nvfp4" is not supported`},
	} {
		dir := weightstest.Write(t, tiny)
		if err := replace(dir+"/"+c.file, c.from, c.to); err != nil {
			t.Fatal(err)
		}
		if _, err := weights.Open(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tiny.Group = 16
	_, err := open(t, weightstest.Write(t, tiny)).Tensor("embed", 300, 64)
	if !errors.Is(err, weights.ErrUnsupported) || !strings.Contains(err.Error(), "groups of 16") {
		t.Errorf("groups of 16: %v", err)
	}
}
