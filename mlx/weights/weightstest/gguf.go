package weightstest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// WriteGGUF writes the model that Write writes, unquantised, as llama.cpp's converter leaves it: its names of
// tensors, Llama's queries and keys in pairs, Gemma's norms with one added. It returns the file.
func WriteGGUF(t testing.TB, s Tiny) string {
	t.Helper()
	return WriteMixedGGUF(t, s, nil)
}

// WriteMixedGGUF is WriteGGUF with random blocks of ggml's types instead of some tensors: types has those of the
// matrices whose names in the GGUF contain a part.
func WriteMixedGGUF(t testing.TB, s Tiny, types map[string]string) string {
	t.Helper()
	s = s.stacked()
	var data []byte
	var index bytes.Buffer
	r, tensors := rand.New(rand.NewPCG(s.Seed, 0)), s.tensors()
	for _, x := range tensors {
		values := s.ggufValues(x, s.values(r, x))
		put(&index, s.ggufName(x.name), uint32(len(x.shape)))
		for _, d := range slices.Backward(x.shape) {
			put(&index, uint64(d))
		}
		kind, raw := uint32(0), floatBytes(values)
		if blocks := blocksFor(s.ggufName(x.name), types); blocks != nil && len(x.shape) > 1 {
			kind, raw = blocks.number, blocks.random(r, len(values), x.shape[len(x.shape)-1])
		}
		put(&index, kind, uint64(len(data)))
		data = append(data, raw...)
		data = append(data, make([]byte, (32-len(data)%32)%32)...)
	}
	for _, x := range s.ggufFactors() {
		put(&index, x.name, uint32(1), uint64(len(x.values)), uint32(0), uint64(len(data)))
		data = append(data, floatBytes(x.values)...)
		data = append(data, make([]byte, (32-len(data)%32)%32)...)
	}
	settings := s.ggufSettings()
	var out bytes.Buffer
	out.WriteString("GGUF")
	put(&out, uint32(3), uint64(len(tensors)+len(s.ggufFactors())), uint64(len(settings)/2))
	for i := 0; i < len(settings); i += 2 {
		put(&out, settings[i], kindOf(settings[i+1]), settings[i+1])
	}
	out.Write(index.Bytes())
	out.Write(make([]byte, (32-out.Len()%32)%32))
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, append(out.Bytes(), data...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// put writes numbers as they are and texts behind their length.
func put(to *bytes.Buffer, all ...any) {
	for _, v := range all {
		if text, ok := v.(string); ok {
			_ = binary.Write(to, binary.LittleEndian, uint64(len(text)))
			to.WriteString(text)
			continue
		}
		_ = binary.Write(to, binary.LittleEndian, v)
	}
}

// kindOf is GGUF's number of a value's type.
func kindOf(v any) uint32 {
	switch v.(type) {
	case string:
		return 8
	case float32:
		return 6
	}
	return 4
}

// gemma is a family of Gemma: llama.cpp's converter adds one to its norms, and calls the norm of what attention
// returns by its own name.
type gemma interface {
	// ggufSettings are its pairs of key and value.
	ggufSettings(prefix string) []any
}

// withSettings is a family with settings that others do not have.
type withSettings interface {
	ggufSettings(s Tiny, prefix string) []any
}

// ggufSettings are pairs of key and value.
func (s Tiny) ggufSettings() []any {
	config := s.config()
	name := strings.ReplaceAll(strings.TrimSuffix(config["model_type"].(string), "_text"), "_", "")
	all := []any{
		"general.architecture", name, name + ".block_count", uint32(s.Layers), name + ".embedding_length", uint32(s.Hidden),
		name + ".feed_forward_length", uint32(s.Intermediate), name + ".attention.head_count", uint32(s.Heads),
		name + ".attention.head_count_kv", uint32(s.KVHeads), name + ".attention.key_length", uint32(s.HeadDim),
		name + ".context_length", uint32(s.Context), name + ".rope.freq_base", float32(config["rope_theta"].(float64)),
		name + ".attention.layer_norm_rms_epsilon", float32(config["rms_norm_eps"].(float64)),
		"tokenizer.ggml.eos_token_id", uint32(2),
	}
	switch f := s.Family.(type) {
	case gemma:
		all = append(all, f.ggufSettings(name)...)
	case withSettings:
		all = append(all, f.ggufSettings(s, name)...)
	}
	return append(all, s.ggufScaling(name)...)
}

// ggufName is what llama.cpp calls a tensor of a folder.
func (s Tiny) ggufName(name string) string {
	module, kind := name[:strings.LastIndexByte(name, '.')], name[strings.LastIndexByte(name, '.'):]
	outer := map[string]string{"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
	if outer[module] != "" {
		return outer[module] + kind
	}
	if _, isGemma := s.Family.(gemma); isGemma && strings.HasSuffix(module, ".post_attention_layernorm") {
		return "blk." + strings.Split(module, ".")[2] + ".post_attention_norm" + kind
	}
	p := strings.SplitN(module, ".", 4) // model.layers.N.part
	return fmt.Sprintf("blk.%s.%s%s", p[2], map[string]string{
		"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "pre_feedforward_layernorm": "ffn_norm",
		"post_feedforward_layernorm": "post_ffw_norm", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
		"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
		"self_attn.qkv_proj": "attn_qkv",
		"mlp.gate":           "ffn_gate_inp", "mlp.switch_mlp.gate_proj": "ffn_gate_exps", "mlp.switch_mlp.up_proj": "ffn_up_exps",
		"mlp.switch_mlp.down_proj": "ffn_down_exps", "mlp.gate_up_proj": "ffn_up", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
	}[p[3]], kind)
}

// ggufValues returns a tensor's values as llama.cpp's converter changes them.
func (s Tiny) ggufValues(x tensor, values []float32) []float32 {
	_, isGemma := s.Family.(gemma)
	switch {
	case isGemma && strings.HasSuffix(x.name, "norm.weight"):
		for i := range values {
			values[i]++
		}
	case s.isPaired() && (strings.Contains(x.name, "q_proj") || strings.Contains(x.name, "k_proj")):
		return s.pairRows(values, x.shape[0])
	}
	return values
}

// isPaired reports whether llama.cpp's converter puts rows of queries and keys in pairs.
func (s Tiny) isPaired() bool {
	_, isSmolLM3 := s.Family.(SmolLM3)
	return s.Family == nil || isSmolLM3
}

// pairRows puts the two halves of each head's rows one into the other: row i of the first half to 2 i, of the
// second to 2 i + 1.
func (s Tiny) pairRows(values []float32, rows int) []float32 {
	out, width, half := make([]float32, len(values)), len(values)/rows, s.HeadDim/2
	for row := range rows {
		head, i := row/s.HeadDim*s.HeadDim, row%s.HeadDim
		to := head + i%half*2 + i/half
		copy(out[to*width:(to+1)*width], values[row*width:(row+1)*width])
	}
	return out
}
