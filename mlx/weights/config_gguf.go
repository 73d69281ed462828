package weights

import (
	"fmt"
	"slices"
	"strings"
)

// openGGUF maps a GGUF file and names its tensors canonically.
func openGGUF(path string) (*Model, error) {
	data, closeFile, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	m, err := modelOfGGUF(data)
	if err != nil {
		closeFile()
		return nil, err
	}
	m.close = closeFile
	return m, nil
}

func modelOfGGUF(data []byte) (*Model, error) {
	g, err := ParseGGUF(data)
	if err != nil {
		return nil, err
	}
	config, err := g.config()
	if err != nil {
		return nil, err
	}
	m := &Model{Config: config, GGUF: g, tensors: map[string]Tensor{}, close: func() error { return nil }}
	for name, t := range g.Tensors {
		if c := canonicalGGUF(name); c != "" {
			m.tensors[c] = t
		}
	}
	return m, nil
}

var ggufParts = map[string]string{
	"attn_norm": "attn_norm", "attn_q": "q", "attn_k": "k", "attn_v": "v", "attn_output": "o",
	"ffn_norm": "ffn_norm", "ffn_gate": "gate", "ffn_up": "up", "ffn_down": "down",
	"post_attention_norm": "attn_post_norm", "post_ffw_norm": "ffn_post_norm",
}

// canonicalGGUF turns blk.3.attn_q.weight into layers.3.q.
func canonicalGGUF(name string) string {
	switch name {
	case "token_embd.weight":
		return "embed"
	case "output_norm.weight":
		return "norm"
	case "output.weight":
		return "head"
	}
	p := strings.Split(name, ".")
	if len(p) != 4 || p[0] != "blk" || p[3] != "weight" || ggufParts[p[2]] == "" {
		return ""
	}
	return "layers." + p[1] + "." + ggufParts[p[2]]
}

// config reads the keys of the file's architecture.
func (g *GGUF) config() (Config, error) {
	arch := g.Text("general.architecture")
	if arch != "llama" && arch != "gemma2" {
		return Config{}, fmt.Errorf("the architecture %q is %w; llama and gemma2 are", arch, ErrUnsupported)
	}
	for name := range g.Tensors {
		if strings.HasPrefix(name, "blk.") && (strings.HasSuffix(name, ".bias") || strings.Contains(name, "_exps")) {
			return Config{}, fmt.Errorf("tensor %s: models with biases or experts are %w", name, ErrUnsupported)
		}
	}
	c := Config{Architecture: arch, Name: g.Text("general.name"), PermutedQK: arch == "llama"}
	c.Layers, _ = g.Uint(arch + ".block_count")
	c.Hidden, _ = g.Uint(arch + ".embedding_length")
	c.Intermediate, _ = g.Uint(arch + ".feed_forward_length")
	c.Heads, _ = g.Uint(arch + ".attention.head_count")
	c.KVHeads = g.uintOr(arch+".attention.head_count_kv", c.Heads)
	c.Context, _ = g.Uint(arch + ".context_length")
	c.NormEps, _ = g.Float(arch + ".attention.layer_norm_rms_epsilon")
	if c.Heads > 0 {
		c.HeadDim = g.uintOr(arch+".attention.key_length", c.Hidden/c.Heads)
	}
	if t, ok := g.Tensors["token_embd.weight"]; ok {
		c.Vocabulary = t.Shape[0]
	}
	if arch == "gemma2" {
		g.gemma2(&c)
	}
	c.StopTokens = g.stopTokens()
	var err error
	c.Rope, err = g.rope(arch, c.HeadDim)
	return c, err
}

// gemma2 reads what Gemma 2 adds. llama.cpp's converter has added one to the weights of the norms; it does not
// write the scalar of the scores, which is the head's dimension but for the 27B model, known by its 46 layers.
func (g *GGUF) gemma2(c *Config) {
	c.AttentionCap = g.floatOr("gemma2.attn_logit_softcapping", 50)
	c.FinalCap = g.floatOr("gemma2.final_logit_softcapping", 30)
	c.gemma2(g.uintOr("gemma2.attention.sliding_window", 4096))
	if c.Layers == 46 && c.Heads > 0 {
		c.QueryScalar = float64(c.Hidden / c.Heads)
	}
}

// stopTokens are the ends of a text and of a turn. Gemma's files often name the first only.
func (g *GGUF) stopTokens() (stop []int32) {
	if eos, ok := g.Uint("tokenizer.ggml.eos_token_id"); ok {
		stop = append(stop, int32(eos))
	}
	if eot, ok := g.Uint("tokenizer.ggml.eot_token_id"); ok {
		return append(stop, int32(eot))
	}
	if turn := slices.Index(g.Texts("tokenizer.ggml.tokens"), "<end_of_turn>"); turn >= 0 {
		stop = append(stop, int32(turn))
	}
	return stop
}

func (g *GGUF) floatOr(key string, otherwise float64) float64 {
	if v, ok := g.Float(key); ok {
		return v
	}
	return otherwise
}

func (g *GGUF) uintOr(key string, otherwise int) int {
	if v, ok := g.Uint(key); ok {
		return v
	}
	return otherwise
}

func (g *GGUF) rope(arch string, headDim int) (Rope, error) {
	r := Rope{Theta: 10000, Type: "default", Dims: g.uintOr(arch+".rope.dimension_count", headDim)}
	if v, ok := g.Float(arch + ".rope.freq_base"); ok {
		r.Theta = v
	}
	kind := g.Text(arch + ".rope.scaling.type")
	r.Factor, _ = g.Float(arch + ".rope.scaling.factor")
	switch {
	case kind == "linear":
		r.Type = "linear"
	case kind == "yarn":
		r.Type, r.BetaFast, r.BetaSlow = "yarn", 32, 1
		r.Original, _ = g.Uint(arch + ".rope.scaling.original_context_length")
	case kind != "" && kind != "none":
		return r, fmt.Errorf("rope scaling %q is %w; linear, yarn and factors are", kind, ErrUnsupported)
	}
	t, ok := g.Tensors["rope_freqs.weight"]
	if !ok {
		return r, nil
	}
	if t.Type != F32 || len(t.Shape) != 1 || t.Shape[0] != r.Dims/2 {
		return r, fmt.Errorf("rope_freqs.weight is %s %v, expected F32 [%d]", t.Type, t.Shape, r.Dims/2)
	}
	r.Type, r.Factors = "factors", floats32(t.Data)
	return r, nil
}
