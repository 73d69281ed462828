package weights

import (
	"fmt"
	"math"
)

// Activation is the function of a feed-forward layer's gate.
type Activation int

// The activations that are run.
const (
	SiLU     Activation = iota // x * sigmoid(x)
	GELUTanh                   // GELU by its tanh approximation (Hendrycks and Gimpel)
)

// Config describes a decoder: its shape in the terms of Llama, and in what it differs from Llama. The zero value of
// every difference is Llama's.
type Config struct {
	Architecture                 string
	Name                         string
	Layers, Hidden, Intermediate int
	Heads, KVHeads, HeadDim      int
	Vocabulary, Context          int
	NormEps                      float64
	Rope                         Rope
	// PermutedQK: rows of Q and K lie in pairs for interleaved rotation, as llama.cpp stores Llama's.
	PermutedQK bool
	StopTokens []int32

	Activation   Activation
	QueryScalar  float64 // scores are divided by its root; 0 for HeadDim
	AttentionCap float64 // scores become cap * tanh(score / cap); 0 for none
	FinalCap     float64 // logits become cap * tanh(logit / cap); 0 for none
	EmbedScale   float64 // multiplies the embeddings; 0 for 1
	NormOffset   float64 // is added to the weights of every norm
	PostNorms    bool    // what attention and feed-forward return is normed before it is added
	Windows      []int   // of each layer, as Window returns them; nil when all layers see everything
}

// Window is the number of positions that a row of the layer sees, itself included: a row at p sees (p-window, p].
// 0 is all of them.
func (c Config) Window(layer int) int {
	if c.Windows == nil {
		return 0
	}
	return c.Windows[layer]
}

// ScoreScale multiplies the products of queries and keys.
func (c Config) ScoreScale() float64 {
	if c.QueryScalar > 0 {
		return 1 / math.Sqrt(c.QueryScalar)
	}
	return 1 / math.Sqrt(float64(c.HeadDim))
}

// gemma2 sets what Gemma 2 differs in from Llama, for a window on every second layer beginning with the first
// (Gemma Team, Gemma 2: Improving Open Language Models at a Practical Size, 2024).
func (c *Config) gemma2(window int) {
	c.Activation, c.PostNorms, c.EmbedScale = GELUTanh, true, math.Sqrt(float64(c.Hidden))
	if window == 0 || c.Layers < 0 || c.Layers > maxLayers {
		return // check refuses the layers
	}
	c.Windows = make([]int, c.Layers)
	for i := 0; i < c.Layers; i += 2 {
		c.Windows[i] = window
	}
}

const maxLayers = 1024

func (c Config) check() error {
	for _, v := range []struct {
		name   string
		n, max int
	}{
		{"layers", c.Layers, maxLayers}, {"hidden size", c.Hidden, 1 << 17}, {"intermediate size", c.Intermediate, 1 << 20},
		{"heads", c.Heads, 1024}, {"KV heads", c.KVHeads, 1024}, {"head dimension", c.HeadDim, 1024},
		{"vocabulary", c.Vocabulary, 1 << 22}, {"context length", c.Context, 1 << 24},
	} {
		if v.n <= 0 || v.n > v.max {
			return fmt.Errorf("the model's %s is %d, expected 1 to %d", v.name, v.n, v.max)
		}
	}
	if c.Heads%c.KVHeads != 0 {
		return fmt.Errorf("%d heads cannot share %d KV heads evenly", c.Heads, c.KVHeads)
	}
	if c.Rope.Dims <= 0 || c.Rope.Dims%2 != 0 || c.Rope.Dims > c.HeadDim {
		return fmt.Errorf("%d rotary dimensions in heads of %d", c.Rope.Dims, c.HeadDim)
	}
	if !(c.NormEps > 0 && c.NormEps < 1) || !(c.Rope.Theta > 1) {
		return fmt.Errorf("norm epsilon %g and rope theta %g make no sense", c.NormEps, c.Rope.Theta)
	}
	return c.checkDifferences()
}

// checkDifferences checks what differs from Llama.
func (c Config) checkDifferences() error {
	for _, v := range []float64{c.QueryScalar, c.AttentionCap, c.FinalCap, c.EmbedScale} {
		if !(v >= 0 && v < 1e6) {
			return fmt.Errorf("a soft cap or scale of %g makes no sense", v)
		}
	}
	if c.Windows != nil && len(c.Windows) != c.Layers {
		return fmt.Errorf("%d windows for %d layers", len(c.Windows), c.Layers)
	}
	for i, w := range c.Windows {
		if w < 0 || w > 1<<24 {
			return fmt.Errorf("the window of layer %d is %d", i, w)
		}
	}
	return nil
}
