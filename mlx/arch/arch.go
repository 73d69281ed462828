// Package arch describes families of decoder models: what their files call things, what an absent setting
// means, and what each layer consists of. A family is one file here and one row of the registry; the readers
// of files, the model and the kernels ask the description and know no family's name. The package knows no
// files and no device.
package arch

import (
	"errors"
	"math"
)

// ErrUnsupported marks a well-formed model that this server does not run.
var ErrUnsupported = errors.New("not supported")

// Config describes a decoder: embeddings, layers, a last norm and a head.
type Config struct {
	Family, Name                string
	Hidden, Vocabulary, Context int
	NormEps                     float64
	NormOffset                  float64 // is added to the weights of every norm, as the file has them
	EmbedScale                  float64 // multiplies the embeddings; 0 for 1
	FinalCap                    float64 // logits become cap * tanh(logit / cap); 0 for none
	Tied                        bool    // the head is the embedding, whatever the file holds
	PairedQK                    bool    // rows of Q and K lie in pairs for interleaved rotation, as llama.cpp stores some
	StopTokens                  []int32 // that the model's files name as the ends of a text or a turn
	Ropes                       []Rope  // the rotary embeddings that layers choose from
	Layers                      []Layer
}

// Layer describes one layer: attention, and a feed-forward part with a gate. The zero value of every
// difference is the plain form that Llama has.
type Layer struct {
	Heads, KVHeads, HeadDim int
	Intermediate            int     // of the feed-forward part, of each expert where it has some
	Experts                 Experts // zero: the feed-forward part is one
	Rope                    int     // of Config.Ropes
	Window                  int     // a row at p sees (p-Window, p], itself included; 0 for everything before it
	QueryScalar             float64 // scores are divided by its root; 0 for HeadDim
	ScoreCap                float64 // scores become cap * tanh(score / cap); 0 for none
	QKNorm                  bool    // each head of queries and keys is normed before it is rotated
	Bias                    Bias
	PostNorms               bool // what attention and feed-forward return is normed before it is added
	Activation              Activation
}

// Experts says how rows are routed to the feed-forward parts of a layer that has several.
type Experts struct {
	Count, Used int  // of all, each row takes the outputs of those with the largest scores
	IsNormed    bool // the weights of those that are used are brought to a sum of 1
}

// Bias says which products of attention have something added.
type Bias struct {
	QKV    bool
	Output bool
}

// Activation is the function of a feed-forward layer's gate.
type Activation int

// The activations that are run.
const (
	SiLU     Activation = iota // x * sigmoid(x)
	GELUTanh                   // GELU by its tanh approximation (Hendrycks and Gimpel)
)

// Rope describes a rotary embedding. Which angles it has never depends on how long a sequence is: keys are
// rotated once and kept.
type Rope struct {
	Theta    float64
	Dims     int       // rotated dimensions of a head
	Type     string    // default, linear, dynamic, llama3, yarn, factors, none
	Factor   float64   // linear, dynamic, llama3, yarn
	Low      float64   // llama3: low_freq_factor
	High     float64   // llama3: high_freq_factor
	Original int       // dynamic, llama3, yarn: original context
	BetaFast float64   // yarn
	BetaSlow float64   // yarn
	IsUncut  bool      // yarn: the ends of the ramp between the two need not be whole dimensions
	Scale    float64   // multiplies cosines and sines, 0 for what the type has: yarn its own, the others 1
	Factors  []float32 // factors: a divisor for each frequency
}

// ScoreScale multiplies the products of queries and keys.
func (l Layer) ScoreScale() float64 {
	if l.QueryScalar > 0 {
		return 1 / math.Sqrt(l.QueryScalar)
	}
	return 1 / math.Sqrt(float64(l.HeadDim))
}

// QueryRows is the width of all queries of a row.
func (l Layer) QueryRows() int { return l.Heads * l.HeadDim }

// KVRows is the width of all keys of a row, and of all values.
func (l Layer) KVRows() int { return l.KVHeads * l.HeadDim }

// RopeOf is the rotary embedding of a layer.
func (c Config) RopeOf(layer int) Rope { return c.Ropes[c.Layers[layer].Rope] }
