package kv

import (
	"encoding/binary"
	"fmt"
)

// Chain names the blocks of one sequence: its full blocks in order, and the tail behind them if it has one.
type Chain struct {
	Space
	Keys   []Key // of the full blocks, from the sequence's first on
	Tail   Key   // of the unfilled block behind them; Root for none
	Tokens int   // of all blocks, the tail's included
}

// Head is the key by which a chain is told from others: the tail's, else the last full block's.
func (c Chain) Head() Key {
	if c.Tail != Root || len(c.Keys) == 0 {
		return c.Tail
	}
	return c.Keys[len(c.Keys)-1]
}

// Refs names the chain's blocks, in order.
func (c Chain) Refs() []Ref {
	refs := FullRefs(c.Space, c.Keys, 0)
	if c.Tail != Root {
		tail := Ref{Space: c.Space, Key: c.Tail, Index: len(c.Keys), Tokens: c.Tokens - len(c.Keys)*BlockTokens}
		if len(c.Keys) > 0 {
			tail.Parent = c.Keys[len(c.Keys)-1]
		}
		refs = append(refs, tail)
	}
	return refs
}

// check tells whether the number of tokens fits the blocks.
func (c Chain) check() error {
	full := len(c.Keys) * BlockTokens
	if c.Tail == Root && c.Tokens == full || c.Tail != Root && c.Tokens > full && c.Tokens < full+BlockTokens {
		return nil
	}
	return fmt.Errorf("chain of %d full blocks, tail: %v, can't hold %d tokens", len(c.Keys), c.Tail != Root, c.Tokens)
}

// chainVersion begins the binary form of a chain.
const chainVersion = 1

// MarshalBinary writes the version (1 byte), fingerprint, salt id, number of tokens (8 bytes, little endian), tail,
// and the keys of the full blocks.
func (c Chain) MarshalBinary() ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	b := []byte{chainVersion}
	b = append(b, c.Fingerprint[:]...)
	b = append(b, c.Salt[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(c.Tokens))
	b = append(b, c.Tail[:]...)
	for _, key := range c.Keys {
		b = append(b, key[:]...)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (c *Chain) UnmarshalBinary(b []byte) error {
	var read Chain
	fixed := 1 + len(read.Fingerprint) + len(read.Salt) + 8 + len(read.Tail)
	if len(b) < fixed || b[0] != chainVersion || (len(b)-fixed)%len(Root) != 0 {
		return fmt.Errorf("read chain: %d bytes are no chain of version %d", len(b), chainVersion)
	}
	b = b[1:]
	b = b[copy(read.Fingerprint[:], b):]
	b = b[copy(read.Salt[:], b):]
	read.Tokens = int(binary.LittleEndian.Uint64(b))
	b = b[8:]
	b = b[copy(read.Tail[:], b):]
	for ; len(b) > 0; b = b[len(Root):] {
		read.Keys = append(read.Keys, Key(b[:len(Root)]))
	}
	if err := read.check(); err != nil {
		return fmt.Errorf("read chain: %w", err)
	}
	*c = read
	return nil
}

// Holding is what one tier has of some chains.
type Holding struct {
	Tier      string // "pool", "disk", …
	IsDistant bool   // the tier is asked over a network, by every node
	Blocks    int    // distinct blocks, those shared with other chains included
	Bytes     int64
	Tokens    int // that can be read from this tier alone: the longest over the chains from their beginning on
}

// Moved counts what an operation on chains or tiers did.
type Moved struct {
	Blocks int
	Bytes  int64
	NoRoom int // blocks that were to move and for which there was no room
}

// Add counts one more block of so many bytes.
func (m *Moved) Add(bytes int64) { m.Blocks, m.Bytes = m.Blocks+1, m.Bytes+bytes }
