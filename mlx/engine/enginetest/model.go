// Package enginetest is a deterministic model in memory, for tests of everything that stands on the engine.
//
// Its logits are a hash of all tokens of the sequence as they are read back through the block table, and of whether each
// came by a prefill or by a decode, so that a wrong table, a lost chunk, a freed block or KV of the wrong role shows in the
// answer.
package enginetest

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
)

// The vocabulary: the 256 bytes, then the token that ends an answer, then one that marks its beginning.
const (
	EndToken    int32 = 256
	AnswerToken int32 = 257
	Vocabulary        = 258
)

// Config describes a model. Its zero value but for Context is useful.
type Config struct {
	Name    string // "memory" if it is empty; models of other names have other fingerprints
	Context int    // most tokens of a sequence; 0 means 1 << 20
	// Before, if set, runs before every call with the number of the call from 0. It may sleep or block, return an
	// error or panic.
	Before func(call Call) error
	// Answer, if set, chooses the most likely next token, given all tokens of the sequence. A negative token leaves
	// the choice to the hash.
	Answer func(tokens []int32) int32
	// Copying, if set, runs within every copy of a block.
	Copying func()
	// Imported, if set, may change the tokens of a block that was imported.
	Imported func(tokens []int32)
	// NoEnd keeps the hash from ending an answer by itself.
	NoEnd bool
	// Vocabulary is the number of tokens, Vocabulary if it is 0.
	Vocabulary int
	// End is the token that ends an answer, EndToken if it is 0.
	End int32
	// Notes are those of its Spec.
	Notes []string
}

// Call describes a call of the model to Config.Before.
type Call struct {
	Number int
	Decode bool // whether it is a decode; a prefill otherwise
	Rows   int  // rows of a decode, 1 for a prefill
}

// BlockBytes is what a block is said to take.
const BlockBytes = 1000

// Model is the deterministic model. It implements engine.Model.
type Model struct {
	cfg    Config
	calls  int
	blocks atomic.Int64
	closed atomic.Bool
}

// New returns a model.
func New(cfg Config) *Model {
	if cfg.Context == 0 {
		cfg.Context = 1 << 20
	}
	if cfg.Vocabulary == 0 {
		cfg.Vocabulary = Vocabulary
	}
	if cfg.End == 0 {
		cfg.End = EndToken
	}
	return &Model{cfg: cfg}
}

// Open has the form of engine.Config.Open.
func (m *Model) Open(progress func(string, float64)) (engine.Model, error) {
	progress("load", 0.5)
	return m, nil
}

// Blocks is the number of blocks that are allocated now.
func (m *Model) Blocks() int { return int(m.blocks.Load()) }

// Closed tells whether Close was called.
func (m *Model) Closed() bool { return m.closed.Load() }

// Spec implements engine.Model.
func (m *Model) Spec() engine.Spec {
	return engine.Spec{
		Name: cmp.Or(m.cfg.Name, "memory"), Vocabulary: m.cfg.Vocabulary, Context: m.cfg.Context, BlockBytes: BlockBytes,
		StopTokens: []int32{m.cfg.End}, Fingerprint: kv.NewFingerprint(sha256.Sum256([]byte(cmp.Or(m.cfg.Name, "memory"))), kv.AtRest(16)),
		Class: "memory", Bits: 16, Layers: []blockfile.Layer{{Kind: blockfile.FullLayer, KVHeads: 1, HeadDim: 1}},
		Storable: true, AnyThread: true, Notes: m.cfg.Notes,
	}
}

// Close implements engine.Model.
func (m *Model) Close() error {
	m.closed.Store(true)
	if n := m.Blocks(); n != 0 {
		return fmt.Errorf("%d blocks were not freed", n)
	}
	return nil
}

// block remembers the tokens instead of their KV; the zero cell was never written.
type block struct {
	model *Model
	cells [engine.BlockTokens]int32 // token + 1, and byDecode
	freed bool
}

// NewBlock implements engine.Model.
func (m *Model) NewBlock() (engine.Block, error) {
	m.blocks.Add(1)
	return &block{model: m}, nil
}

// Free implements engine.Block.
func (b *block) Free() {
	if b.freed {
		panic("enginetest: block freed twice")
	}
	b.freed = true
	b.model.blocks.Add(-1)
}

// Copy implements engine.Model.
func (m *Model) Copy(to, from engine.Block) error {
	a, b := to.(*block), from.(*block)
	if a.freed || b.freed {
		panic("enginetest: block copied after it was freed")
	}
	a.cells = b.cells
	if m.cfg.Copying != nil {
		m.cfg.Copying()
	}
	return nil
}

// Export implements engine.Model: four bytes for each token.
func (m *Model) Export(from engine.Block, tokens int) ([][]byte, error) {
	b := from.(*block)
	if b.freed {
		panic("enginetest: block exported after it was freed")
	}
	var part []byte
	for _, cell := range b.cells[:tokens] {
		part = binary.LittleEndian.AppendUint32(part, uint32(cell))
	}
	return [][]byte{part}, nil
}

// Import implements engine.Model.
func (m *Model) Import(to engine.Block, tokens int, parts [][]byte) error {
	if len(parts) != 1 || len(parts[0]) != 4*tokens || tokens > engine.BlockTokens {
		return fmt.Errorf("enginetest: %d parts for %d tokens", len(parts), tokens)
	}
	b := to.(*block)
	for i := range tokens {
		b.cells[i] = int32(binary.LittleEndian.Uint32(parts[0][4*i:]))
	}
	if m.cfg.Imported != nil {
		m.cfg.Imported(b.cells[:tokens])
	}
	return nil
}

// Prefill implements engine.Model.
func (m *Model) Prefill(c engine.Chunk) ([]float32, error) {
	if err := m.before(Call{Rows: 1}); err != nil {
		return nil, err
	}
	if len(c.Tokens) == 0 {
		return nil, errors.New("enginetest: empty chunk")
	}
	for i, token := range c.Tokens {
		write(c.Table, c.Start+i, token+1)
	}
	cells := read(c.Table, c.Start+len(c.Tokens))
	if !c.Logits {
		return nil, nil
	}
	return m.logits(cells), nil
}

// Decode implements engine.Model.
func (m *Model) Decode(rows []engine.Row) ([][]float32, error) {
	if err := m.before(Call{Decode: true, Rows: len(rows)}); err != nil {
		return nil, err
	}
	out := make([][]float32, len(rows))
	for i, row := range rows {
		write(row.Table, row.Position, row.Token+1|byDecode)
		out[i] = m.logits(read(row.Table, row.Position+1))
	}
	return out, nil
}

func (m *Model) before(call Call) error {
	call.Number = m.calls
	m.calls++
	if m.cfg.Before == nil {
		return nil
	}
	return m.cfg.Before(call)
}

// byDecode marks the cell of a token that was decoded.
const byDecode = 1 << 24

func write(table []engine.Block, position int, cellOf int32) {
	cell(table, position)[position%engine.BlockTokens] = cellOf
}

// read returns the first n cells of a sequence and panics if one was never written.
func read(table []engine.Block, n int) []int32 {
	cells := make([]int32, n)
	for i := range cells {
		cells[i] = cell(table, i)[i%engine.BlockTokens]
		if cells[i] == 0 {
			panic(fmt.Sprintf("enginetest: position %d was never written", i))
		}
	}
	return cells
}

// First is the most likely token behind a sequence that was computed as its marks say.
func (m *Model) First(tokens []kv.Token) int32 {
	cells := make([]int32, len(tokens))
	for i, token := range tokens {
		if cells[i] = token.ID() + 1; token.Generated() {
			cells[i] |= byDecode
		}
	}
	best, logits := 0, m.logits(cells)
	for i := range logits {
		if logits[i] > logits[best] {
			best = i
		}
	}
	return int32(best)
}

func cell(table []engine.Block, position int) *[engine.BlockTokens]int32 {
	b := table[position/engine.BlockTokens].(*block)
	if b.freed {
		panic("enginetest: block used after it was freed")
	}
	return &b.cells
}

// logits favours lower-case letters and the space, so that answers can be read; the end comes about every 64 tokens.
func (m *Model) logits(cells []int32) []float32 {
	hash := uint64(14695981039346656037)
	tokens := make([]int32, len(cells))
	for i, cell := range cells {
		hash = mix(hash ^ uint64(cell))
		tokens[i] = cell&(byDecode-1) - 1
	}
	out := make([]float32, m.cfg.Vocabulary)
	for i := range out {
		out[i] = float32(mix(hash+uint64(i))>>40)/(1<<24)*4 - 8
	}
	for letter := 'a'; letter <= 'z'; letter++ {
		out[letter] += 8
	}
	out[' '] += 8
	if !m.cfg.NoEnd && hash%64 == 0 {
		out[EndToken] = 20
	}
	if m.cfg.Answer != nil {
		if token := m.cfg.Answer(tokens); token >= 0 {
			out[token] = 40
		}
	}
	return out
}

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
