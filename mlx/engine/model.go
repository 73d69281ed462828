// Package engine runs one model for many requests: a step loop that admits, prefills in chunks, decodes in a
// batch and samples, over KV memory that is counted in blocks.
package engine

import (
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
)

// BlockTokens is the number of consecutive tokens whose KV one block holds, for all layers.
const BlockTokens = kv.BlockTokens

// Block is device memory for the KV of BlockTokens consecutive tokens of one sequence, in the model's own layout.
// It is created by a Model and used only on the thread that created it.
type Block interface {
	// Free gives the memory back. The block must not be used afterwards.
	Free()
}

// Spec describes a loaded model to the engine.
type Spec struct {
	Name       string  // as shown to clients
	Vocabulary int     // number of logits in a row
	Context    int     // most tokens of prompt and answer together
	BlockBytes int64   // bytes of one Block
	StopTokens []int32 // token ids that end an answer, e.g. <|im_end|>

	Fingerprint kv.Fingerprint    // what KV depends on besides tokens
	Class       string            // numerics class: results of equal classes are equal to the bit
	Bits        int               // of an element at rest: 16, 8 or 4
	Layers      []blockfile.Layer // kind and shape of each layer's KV
	Storable    bool              // whether KV has a form at rest; full precision has none
	AnyThread   bool              // whether NewBlock, Block.Free, Export and Import may be called from any goroutine
	Notes       []string          // what an operator should know of how the model was loaded, a line each
}

// Chunk is a run of prompt tokens of one sequence.
type Chunk struct {
	Tokens []int32 // to compute, in order, at least one
	Start  int     // absolute position of Tokens[0]; KV of [0, Start) is in Table already
	Table  []Block // the sequence's block table; block i holds positions [256i, 256i+256); covers Start+len(Tokens)
	Logits bool    // whether the logits of the last token are wanted
}

// Row is the next token of one sequence in a decode batch.
type Row struct {
	Token    int32   // the token generated last
	Position int     // its absolute position; its KV is written there
	Table    []Block // covers Position
}

// Model computes logits over paged KV. All methods are called from the one OS thread on which it was opened.
// A row's result depends on that row's tokens and KV only: never on its batch mates or on chunk borders.
type Model interface {
	Decoder
	Blocks
	Spec() Spec
	// Close frees the weights.
	Close() error
}

// Decoder computes tokens.
type Decoder interface {
	// Prefill computes a chunk and writes its KV. With c.Logits it returns the logits of the chunk's last token,
	// a slice of Spec.Vocabulary float32 that is valid until the next call; nil otherwise.
	Prefill(c Chunk) ([]float32, error)
	// Decode computes one token of every row and writes its KV. It returns one slice of logits per row,
	// valid until the next call.
	Decode(rows []Row) ([][]float32, error)
}

// Blocks makes, copies and moves blocks of KV.
type Blocks interface {
	// NewBlock allocates one block; the caller has reserved Spec.BlockBytes in its budget before.
	NewBlock() (Block, error)
	// Copy makes to equal to from, whole. It shares no memory with it afterwards.
	Copy(to, from Block) error
	// Export returns the KV of a block's first tokens in the form at rest, one part for each layer. Nobody may write
	// to the block meanwhile.
	Export(from Block, tokens int) (parts [][]byte, err error)
	// Import is the inverse: it writes the first tokens of a fresh block. It refuses parts of another length.
	Import(to Block, tokens int, parts [][]byte) error
}
