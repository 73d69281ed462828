package arch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Family is one architecture of models. Its file gives a value of it.
type Family struct {
	ModelType string // config.json's model_type
	GGUF      string // a GGUF's general.architecture, and the prefix of its keys; empty: GGUFs have it as another
	Names     []Name // of its layers' tensors, beside those that every family has
	Fused     []Fused
	HeadDim   int  // of a config.json that tells none; 0: the hidden size shared among the heads
	PairedQK  bool // llama.cpp's converter stores the rows of Q and K in pairs
	// Activation is the gate's function, by the names that config.json may give it.
	Activation      Activation
	ActivationNames []string
	Nest            Nest           // zero: the family is no part of larger models
	Defaults        map[string]any // config.json's settings that files leave out; nil: they leave out none
	// IsStretched: what files call the model's context has in it what rope scaling adds.
	IsStretched bool
	// Shape adds what the family has beyond the plain form, to a description whose layers are plain and
	// equal.
	Shape func(s *settings, c *Config)
}

// Name is the name of a tensor of a layer: here, as a module of a folder, and in a GGUF.
type Name struct{ Part, Module, GGUF string }

// Nest is how a folder of a model of several parts, such as one that sees, holds the family's.
type Nest struct {
	ModelType string   // config.json's model_type
	Settings  string   // config.json's key of the family's settings
	Module    string   // stands in front of, or within, the names of the family's modules
	Others    []string // parts of the names of the other parts' modules
}

// settings of a folder are config.json's, those of a nest instead of what stands around it, and the defaults.
func (f Family) settings(all map[string]any) map[string]any {
	out := map[string]any{}
	maps.Copy(out, f.Defaults)
	maps.Copy(out, all)
	if nested, ok := all[f.Nest.Settings].(map[string]any); ok && all["model_type"] == f.Nest.ModelType {
		maps.Copy(out, nested)
	}
	return out
}

// Describe turns a file's settings into the model's description, which Config.Check has yet to look at.
func (f Family) Describe(file File) (Config, error) {
	if file.Kind == Folder {
		file.Settings = f.settings(file.Settings)
	}
	s := &settings{file: file, prefix: f.GGUF}
	c := f.outer(s)
	layer := f.plainLayer(s, c.Hidden)
	c.Ropes = []Rope{s.rope(layer.HeadDim, c.Context)}
	if !f.IsStretched {
		c.Context = c.Ropes[0].stretched(c.Context)
	}
	n := s.whole(key{"num_hidden_layers", "block_count"}, 0)
	if s.err == nil {
		s.err = checkBounds([]bound{{"layers", n, maxLayers}})
	}
	if s.err == nil {
		s.err = f.checkSupported(s)
	}
	if s.err != nil {
		return c, s.err
	}
	c.Layers = make([]Layer, n)
	for i := range c.Layers {
		c.Layers[i] = layer
	}
	if f.Shape != nil {
		f.Shape(s, &c)
	}
	return c, s.err
}

// outer is what stands around the layers.
func (f Family) outer(s *settings) Config {
	c := Config{
		Family: f.ModelType, PairedQK: f.PairedQK && s.file.Kind == GGUF,
		Hidden:     s.whole(key{"hidden_size", "embedding_length"}, 0),
		Vocabulary: s.whole(key{"vocab_size", ""}, s.file.Vocabulary),
		Context:    s.whole(key{"max_position_embeddings", "context_length"}, 0),
		NormEps:    s.number(key{"rms_norm_eps", "attention.layer_norm_rms_epsilon"}, 0),
		Tied:       s.flag(key{"tie_word_embeddings", ""}),
	}
	if s.file.Kind == Folder {
		c.Name = s.text(key{"_name_or_path", ""})
	} else {
		c.Name, _ = s.file.Settings["general.name"].(string)
	}
	return c
}

// plainLayer is a layer as Llama has it, of the family's gate.
func (f Family) plainLayer(s *settings, hidden int) Layer {
	l := Layer{
		Heads:        s.whole(key{"num_attention_heads", "attention.head_count"}, 0),
		Intermediate: s.whole(key{"intermediate_size", "feed_forward_length"}, 0),
		Activation:   f.Activation, Bias: biases(s),
	}
	l.KVHeads = s.whole(key{"num_key_value_heads", "attention.head_count_kv"}, l.Heads)
	shared := 0
	if l.Heads > 0 {
		shared = hidden / l.Heads
	}
	if s.file.Kind == Folder {
		shared = cmp.Or(f.HeadDim, shared)
	}
	l.HeadDim = cmp.Or(s.whole(key{"head_dim", "attention.key_length"}, 0), shared)
	return l
}

// biases says which products of attention have one: by a flag of config.json, by the first layer's tensors of
// a GGUF.
func biases(s *settings) Bias {
	if s.file.Kind == GGUF {
		return Bias{QKV: s.has("blk.0.attn_q.bias"), Output: s.has("blk.0.attn_output.bias")}
	}
	all := s.flag(key{"attention_bias", ""})
	return Bias{QKV: all, Output: all}
}

// checkSupported refuses what the family's files may ask for and no layer here does.
func (f Family) checkSupported(s *settings) error {
	name := cmp.Or(s.text(key{"hidden_activation", ""}), s.text(key{"hidden_act", ""}), f.ActivationNames[0])
	if !slices.Contains(f.ActivationNames, name) {
		return fmt.Errorf("the activation %s is %w for %s; %s is", excerpt(name), ErrUnsupported, f.ModelType, f.ActivationNames[0])
	}
	if s.flag(key{"mlp_bias", ""}) {
		return fmt.Errorf("biases of the feed-forward part are %w", ErrUnsupported)
	}
	return nil
}
