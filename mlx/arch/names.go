package arch

import (
	"slices"
	"strconv"
	"strings"
)

// Tensors' names here: embed, norm and head, and layers.N. with attn_norm, q, k, v, o, ffn_norm, gate, up and
// down, with QKNorm q_norm and k_norm, with PostNorms attn_post_norm and ffn_post_norm; a bias is its
// product's name and .bias. A layer of experts has router, and experts.N. with gate, up and down of each.

// anyExpert stands for an expert's number in names.
const anyExpert = "#"

// ExpertPrefix begins the canonical names of an expert's tensors.
func ExpertPrefix(layer, expert int) string {
	return LayerPrefix(layer) + "experts." + strconv.Itoa(expert) + "."
}

// outerNames are the tensors around the layers.
func outerNames() []Name {
	return []Name{
		{"embed", "model.embed_tokens", "token_embd"}, {"norm", "model.norm", "output_norm"}, {"head", "lm_head", "output"},
	}
}

// layerNames are the tensors of a layer that every family calls the same.
func layerNames() []Name {
	return []Name{
		{"attn_norm", "input_layernorm", "attn_norm"},
		{"q", "self_attn.q_proj", "attn_q"}, {"k", "self_attn.k_proj", "attn_k"}, {"v", "self_attn.v_proj", "attn_v"},
		{"o", "self_attn.o_proj", "attn_output"},
		{"gate", "mlp.gate_proj", "ffn_gate"}, {"up", "mlp.up_proj", "ffn_up"}, {"down", "mlp.down_proj", "ffn_down"},
	}
}

// of is the name in a kind of file.
func (n Name) of(kind Kind) string {
	if kind == GGUF {
		return n.GGUF
	}
	return n.Module
}

// Names finds what a family's tensors are called here.
type Names struct {
	kind         Kind
	prefix       string // of a layer
	outer, layer map[string]string
	nest         Nest
}

// NamesIn are the family's names in a kind of file.
func (f Family) NamesIn(kind Kind) Names {
	n := Names{kind: kind, prefix: "model.layers.", outer: map[string]string{}, layer: map[string]string{}, nest: f.Nest}
	if kind == GGUF {
		n.prefix, n.nest = "blk.", Nest{}
	}
	for _, x := range outerNames() {
		n.outer[x.of(kind)] = x.Part
	}
	for _, x := range slices.Concat(layerNames(), f.Names) {
		if name := x.of(kind); name != "" {
			n.layer[name] = x.Part
		}
	}
	return n
}

// Canonical is the name here of a module, which is a tensor's name without its last part: layers.3.q of
// model.layers.3.self_attn.q_proj and of blk.3.attn_q. Empty: the family has no such module.
func (n Names) Canonical(module string) string {
	module = strings.Replace(module, n.nest.Module, "", 1)
	if name := n.outer[module]; name != "" {
		return name
	}
	rest, inside := strings.CutPrefix(module, n.prefix)
	layer, module, _ := strings.Cut(rest, ".")
	module, expert := cutNumber(module)
	part := n.layer[module]
	if !inside || part == "" || expert == "" && strings.Contains(part, anyExpert) {
		return ""
	}
	return "layers." + layer + "." + strings.Replace(part, anyExpert, expert, 1)
}

// cutNumber takes an expert's number out of a name, if there is one.
func cutNumber(module string) (name, number string) {
	parts := strings.Split(module, ".")
	for i, part := range parts {
		if _, err := strconv.ParseUint(part, 10, 16); err == nil {
			parts[i] = anyExpert
			return strings.Join(parts, "."), part
		}
	}
	return module, ""
}

// OfAnotherPart reports whether a module belongs to a part of the model that the family does not describe.
func (n Names) OfAnotherPart(module string) bool {
	return slices.ContainsFunc(n.nest.Others, func(part string) bool { return strings.Contains(module, part) })
}

// HasBias reports whether the model adds a bias to what a canonical name computes.
func (c Config) HasBias(name string) bool {
	for i, l := range c.Layers {
		prefix := LayerPrefix(i)
		part, inside := strings.CutPrefix(name, prefix)
		if inside {
			return l.Bias.QKV && (part == "q" || part == "k" || part == "v") || l.Bias.Output && part == "o"
		}
	}
	return false
}
