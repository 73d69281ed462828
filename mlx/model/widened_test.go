//go:build cgo

package model

import (
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

// wide is large enough for blocks of 256.
func wide() weightstest.Tiny {
	tiny := weightstest.Default()
	tiny.Hidden, tiny.Intermediate, tiny.Heads, tiny.HeadDim = 256, 256, 4, 64
	return tiny
}

// mixtures give every type of ggml's that is read to some tensors, as files mix them.
func mixtures() []map[string]string {
	return []map[string]string{
		{"attn_q": "Q5_0", "attn_k": "Q5_0", "attn_v": "Q8_0", "attn_output": "Q4_K", "ffn_gate": "Q5_0", "ffn_up": "Q5_0", "ffn_down": "Q6_K", "token_embd": "Q8_0"},
		{"attn_q": "Q4_K", "attn_k": "Q4_K", "attn_v": "Q6_K", "attn_output": "Q5_K", "ffn_gate": "Q2_K", "ffn_up": "Q2_K", "ffn_down": "Q3_K", "token_embd": "Q6_K"},
		{"attn_q": "IQ4_NL", "attn_k": "Q5_0", "attn_v": "IQ4_NL", "attn_output": "Q4_0", "ffn_gate": "Q4_K", "ffn_up": "Q4_1", "ffn_down": "Q5_1", "token_embd": "Q4_K"},
		{"attn_q": "Q5_K", "attn_k": "Q5_1", "attn_v": "Q5_0", "attn_output": "Q6_K", "ffn_gate": "Q6_K", "ffn_up": "Q3_K", "ffn_down": "Q8_0", "token_embd": "Q5_K"},
	}
}

func TestMixedFilesAreNearStock(t *testing.T) {
	prompt, answer := tinyTokens(300, 3), tinyTokens(3, 4)
	for i, types := range mixtures() {
		path := weightstest.WriteMixedGGUF(t, wide(), types)
		want := history(t, openAt(t, path, Config{Dtype: "float32"}), prompt, []int{100, 257}, answer)
		for _, isa := range instructionSets(t) {
			got := history(t, openAt(t, path, Config{ISA: isa}), prompt, []int{90}, answer)
			for step := range want {
				if e := relativeError(got[step], want[step]); !(e < 0.05) {
					t.Errorf("mixture %d, %s: logits of step %d are off by %.3f of their largest", i, isa, step, e)
				}
			}
		}
	}
}

func TestWhatTakesMoreMemoryThanItsFileIsSaid(t *testing.T) {
	if notes := openTiny(t, weightstest.Default(), Config{}).Spec().Notes; notes != nil {
		t.Errorf("float32 weights that became bf16 take less, yet %q", notes)
	}
	for i, want := range []string{"", "10 tensors of Q2_K, Q4_K, Q6_K became bf16: 1.0 MB of memory, 0.3 MB in the file", "", ""} {
		notes := openAt(t, weightstest.WriteMixedGGUF(t, wide(), mixtures()[i]), Config{}).Spec().Notes
		if strings.Join(notes, "; ") != want {
			t.Errorf("mixture %d notes %q, expected %q", i, notes, want)
		}
	}
}
