package weights

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
)

type jsonConfig struct {
	ModelType     string          `json:"model_type"`
	Name          string          `json:"_name_or_path"`
	Layers        int             `json:"num_hidden_layers"`
	Hidden        int             `json:"hidden_size"`
	Intermediate  int             `json:"intermediate_size"`
	Heads         int             `json:"num_attention_heads"`
	KVHeads       *int            `json:"num_key_value_heads"`
	HeadDim       *int            `json:"head_dim"`
	Vocabulary    int             `json:"vocab_size"`
	Context       int             `json:"max_position_embeddings"`
	NormEps       float64         `json:"rms_norm_eps"`
	Theta         *float64        `json:"rope_theta"`
	Scaling       *jsonRope       `json:"rope_scaling"`
	Parameters    *jsonRope       `json:"rope_parameters"`
	Tied          *bool           `json:"tie_word_embeddings"`
	AttentionBias bool            `json:"attention_bias"`
	MLPBias       bool            `json:"mlp_bias"`
	Activation    string          `json:"hidden_act"`
	EOS           json.RawMessage `json:"eos_token_id"`
	Quantization  any             `json:"quantization"`

	// Gemma 2
	HiddenActivation string   `json:"hidden_activation"`
	QueryScalar      float64  `json:"query_pre_attn_scalar"`
	AttentionCap     *float64 `json:"attn_logit_softcapping"`
	FinalCap         *float64 `json:"final_logit_softcapping"`
	SlidingWindow    *int     `json:"sliding_window"`
	LayerTypes       []string `json:"layer_types"`
}

type jsonRope struct {
	Theta    *float64 `json:"rope_theta"`
	Type     string   `json:"rope_type"`
	OldType  string   `json:"type"`
	Factor   float64  `json:"factor"`
	Low      float64  `json:"low_freq_factor"`
	High     float64  `json:"high_freq_factor"`
	Original int      `json:"original_max_position_embeddings"`
	BetaFast *float64 `json:"beta_fast"`
	BetaSlow *float64 `json:"beta_slow"`
	Scale    float64  `json:"attention_factor"`
}

// configOfJSON reads a Hugging Face config.json and reports whether the head is the embedding.
func configOfJSON(raw []byte) (Config, bool, error) {
	j := jsonConfig{}
	j.absentMeans(50, 30, 4096)
	if err := json.Unmarshal(raw, &j); err != nil {
		return Config{}, false, err
	}
	if err := j.supported(); err != nil {
		return Config{}, false, err
	}
	c := j.shape()
	tied := j.Tied != nil && *j.Tied
	if j.ModelType == "gemma2" {
		tied = true
		if err := j.gemma2(&c); err != nil {
			return c, false, err
		}
	}
	stop, err := stopTokens(j.EOS)
	c.StopTokens = stop
	if err == nil {
		c.Rope, err = j.rope(c.HeadDim)
	}
	return c, tied, err
}

// absentMeans sets what Gemma 2's absent keys mean; null in the file is none.
func (j *jsonConfig) absentMeans(attentionCap, finalCap float64, window int) {
	j.AttentionCap, j.FinalCap, j.SlidingWindow = &attentionCap, &finalCap, &window
}

// supported refuses architectures, activations and quantisations that are not run.
func (j *jsonConfig) supported() error {
	activation, known := map[string]string{"llama": "silu", "gemma2": "gelu_pytorch_tanh"}[j.ModelType]
	if !known {
		return fmt.Errorf("the architecture %q is %w; llama and gemma2 are", j.ModelType, ErrUnsupported)
	}
	if has := cmp.Or(j.HiddenActivation, j.Activation, activation); has != activation {
		return fmt.Errorf("the activation %q is %w for %s; %s is", has, ErrUnsupported, j.ModelType, activation)
	}
	if j.AttentionBias || j.MLPBias {
		return fmt.Errorf("biases are %w", ErrUnsupported)
	}
	return affineOnly(j.Quantization)
}

// affineOnly refuses MLX's quantisations other than the affine ones, for all layers or for some.
func affineOnly(v any) error {
	settings, _ := v.(map[string]any)
	if mode, ok := settings["mode"].(string); ok && mode != "affine" {
		return fmt.Errorf("MLX's quantisation %q is %w; affine is", mode, ErrUnsupported)
	}
	for _, layer := range settings {
		if err := affineOnly(layer); err != nil {
			return err
		}
	}
	return nil
}

// shape is what every architecture has.
func (j *jsonConfig) shape() Config {
	c := Config{
		Architecture: j.ModelType, Name: j.Name, Layers: j.Layers, Hidden: j.Hidden, Intermediate: j.Intermediate,
		Heads: j.Heads, KVHeads: j.Heads, Vocabulary: j.Vocabulary, Context: j.Context, NormEps: j.NormEps,
	}
	if j.KVHeads != nil {
		c.KVHeads = *j.KVHeads
	}
	if j.HeadDim != nil && *j.HeadDim > 0 {
		c.HeadDim = *j.HeadDim
	} else if j.Heads > 0 {
		c.HeadDim = j.Hidden / j.Heads
	}
	return c
}

// gemma2 reads what Gemma 2 adds. Its norms are stored as their distance from one.
func (j *jsonConfig) gemma2(c *Config) error {
	c.NormOffset, c.QueryScalar = 1, cmp.Or(j.QueryScalar, 256)
	if j.AttentionCap != nil {
		c.AttentionCap = *j.AttentionCap
	}
	if j.FinalCap != nil {
		c.FinalCap = *j.FinalCap
	}
	window := 0
	if j.SlidingWindow != nil {
		window = *j.SlidingWindow
	}
	c.gemma2(window)
	if j.LayerTypes == nil {
		return nil
	}
	c.Windows = make([]int, len(j.LayerTypes))
	for i, kind := range j.LayerTypes {
		switch kind {
		case "sliding_attention":
			c.Windows[i] = window
		case "full_attention":
		default:
			return fmt.Errorf("a layer of type %q is %w", kind, ErrUnsupported)
		}
	}
	return nil
}

// stopTokens reads eos_token_id: a number, a list or null.
func stopTokens(raw json.RawMessage) ([]int32, error) {
	var many []int32
	if len(raw) == 0 || json.Unmarshal(raw, &many) == nil {
		return many, nil
	}
	var one int32
	if err := json.Unmarshal(raw, &one); err != nil {
		return nil, fmt.Errorf("eos_token_id: %w", err)
	}
	return []int32{one}, nil
}

func (j jsonConfig) rope(headDim int) (Rope, error) {
	r := Rope{Theta: 10000, Type: "default", Dims: headDim}
	if j.Theta != nil {
		r.Theta = *j.Theta
	}
	s := j.Scaling
	if s == nil {
		s = j.Parameters
	}
	if s == nil {
		return r, nil
	}
	if s.Theta != nil {
		r.Theta = *s.Theta
	}
	if s.Type == "" {
		s.Type = s.OldType
	}
	switch s.Type {
	case "", "default":
		return r, nil
	case "linear", "llama3", "yarn":
		r.Type = s.Type
	default:
		return r, fmt.Errorf("rope scaling %q is %w; linear, llama3 and yarn are", s.Type, ErrUnsupported)
	}
	r.Factor, r.Low, r.High, r.Original, r.Scale, r.BetaFast, r.BetaSlow = s.Factor, s.Low, s.High, s.Original, s.Scale, 32, 1
	if s.BetaFast != nil {
		r.BetaFast = *s.BetaFast
	}
	if s.BetaSlow != nil {
		r.BetaSlow = *s.BetaSlow
	}
	if r.Original == 0 {
		r.Original = j.Context
	}
	if !(r.Factor >= 1) || math.IsInf(r.Factor, 0) {
		return r, fmt.Errorf("rope scaling factor %g", r.Factor)
	}
	return r, nil
}
