//go:build cgo

package model

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/array"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/weights"
	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

// The estimate's matrices are those that are loaded, to the byte, whatever they are made of.
func TestTheEstimateOfWeightsIsWhatIsLoaded(t *testing.T) {
	folder := func(change func(*weightstest.Tiny)) string {
		tiny := weightstest.Default()
		change(&tiny)
		return weightstest.Write(t, tiny)
	}
	paths := map[string]string{
		"safetensors": folder(func(*weightstest.Tiny) {}),
		"GGUF":        weightstest.WriteGGUF(t, weightstest.Default()),
		"SmolLM2":     smolLM,
		"experts":     weightstest.Write(t, weightstest.DefaultQwen3MoE()),
		"4 bits of experts, one layer without": folder(func(tiny *weightstest.Tiny) {
			*tiny = weightstest.DefaultQwen3MoE()
			tiny.Family = weightstest.Qwen3MoE{Experts: 6, Used: 2, Inner: 64, Dense: []int{0}, IsStacked: true}
			tiny.Bits, tiny.Group = 4, 32
		}),
		"fused tensors": weightstest.WriteGGUF(t, weightstest.DefaultPhi3()),
	}
	for _, bits := range []int{4, 8} {
		paths[fmt.Sprintf("MLX %d bits", bits)] = folder(func(tiny *weightstest.Tiny) { tiny.Bits, tiny.Group, tiny.Intermediate = bits, 32, 128 })
	}
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			checkWeightBytes(t, path)
		})
	}
}

func checkWeightBytes(t *testing.T, path string) {
	e := estimateOf(t, path, 512, 4)
	m := openAt(t, path, Config{}).(*fusedDecoder)
	loaded := m.embed.Bytes()
	if m.head != m.embed {
		loaded += m.head.Bytes()
	}
	for _, x := range m.matrices() {
		loaded += x.Bytes()
	}
	if e.Weights != loaded || e.Widened != m.widened.memory || e.Block != m.Spec().BlockBytes {
		t.Errorf("estimated %d bytes of weights, %d widened, %d a block; loaded %d, %d, %d",
			e.Weights, e.Widened, e.Block, loaded, m.widened.memory, m.Spec().BlockBytes)
	}
}

func estimateOf(t *testing.T, path string, chunk, batch int) Estimate {
	t.Helper()
	w, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	e, err := EstimateMemory(Config{Weights: w, Dtype: "auto"}, "cpu", chunk, batch)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestPanelsAreAsLongAsTheKernelsSay(t *testing.T) {
	for source, bits := range map[array.Source]int{array.FromF32: 16, array.FromQ8: 8, array.FromQ6: 6, array.FromQ51: 5, array.FromQ4: 4, array.FromQ41: 4} {
		for _, n := range []int{1, 32, 33, 500} {
			m, err := array.NewMatrix(n, 96, source)
			if err != nil {
				t.Fatal(err)
			}
			if got := panelBytes(n, 96, bits); got != m.Bytes() {
				t.Errorf("%d x 96 of %d bits: %d bytes, the kernels say %d", n, bits, got, m.Bytes())
			}
			m.Free()
		}
	}
}

// residentBound is how far the estimate may be above what is really resident, of the whole; it is never below. A
// step's memory and the process's own are bounds and not sizes.
const residentBound = 0.15

const childVariable = "MODEL_TEST_CHILD"

// checkResident runs a long prompt in a process of its own and holds its resident memory, less what it was before, to
// the estimate.
func checkResident(t *testing.T, path string, tokens int) {
	if os.Getenv(childVariable) == "" {
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), childVariable+"=1")
		out, err := child.CombinedOutput()
		if t.Logf("%s", out); err != nil {
			t.Error(err)
		}
		return
	}
	const chunk, batch = 512, 4
	e := estimateOf(t, path, chunk, batch)
	before := resident(t)
	m := openAt(t, path, Config{})
	blocks := table(t, m, tokens)
	for at := 0; at < tokens; at += chunk {
		ids := make([]int32, chunk)
		for i := range ids {
			ids[i] = int32(100 + (at+i)%1000)
		}
		if _, err := m.Prefill(engine.Chunk{Tokens: ids, Start: at, Table: blocks, Logits: true}); err != nil {
			t.Fatal(err)
		}
	}
	took, needed := resident(t)-before, e.Needed(int64(len(blocks))*e.Block)-e.Base
	t.Logf("%.1f MB resident, %.1f MB estimated: weights %.1f, tables %.1f, KV %.1f, chunk %.1f", float64(took)/1e6, float64(needed)/1e6,
		float64(e.Weights)/1e6, float64(e.Tables)/1e6, float64(int64(len(blocks))*e.Block)/1e6, float64(e.Chunk)/1e6)
	if took > needed || float64(took) < (1-residentBound)*float64(needed) {
		t.Errorf("%d bytes are resident, %d were estimated", took, needed)
	}
}

// resident is this process's memory that no file backs.
func resident(t *testing.T) int64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	var kilobytes int64
	if _, err := fmt.Sscanf(string(raw[bytes.Index(raw, []byte("RssAnon:")):]), "RssAnon: %d kB", &kilobytes); err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

func TestTheEstimateHoldsForTheEmbeddedModel(t *testing.T) {
	checkResident(t, filepath.Clean(smolLM), 8192)
}
