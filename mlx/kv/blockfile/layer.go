package blockfile

import (
	"encoding/binary"
	"fmt"
)

// LayerKind tells what a layer keeps of the tokens.
type LayerKind uint8

// The kinds of layers.
const (
	FullLayer   LayerKind = 1 // keys and values of every token
	WindowLayer LayerKind = 2 // the same, of which only the last Window tokens are ever looked at
	LatentLayer LayerKind = 3 // compressed keys and values
	StateLayer  LayerKind = 4 // a recurrent state
)

func (k LayerKind) String() string {
	switch k {
	case FullLayer:
		return "full"
	case WindowLayer:
		return "window"
	case LatentLayer:
		return "latent"
	case StateLayer:
		return "state"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Layer describes one layer's part of a block.
type Layer struct {
	Kind             LayerKind
	KVHeads, HeadDim int
	Window           int    // tokens, of a WindowLayer
	Offset, Length   int64  // within the payload, in bytes; set by Seal
	Sum              uint32 // CRC32C of the part; set by Seal
}

func (l Layer) put(b []byte) {
	le := binary.LittleEndian
	b[0] = byte(l.Kind)
	le.PutUint16(b[2:], uint16(l.KVHeads))
	le.PutUint16(b[4:], uint16(l.HeadDim))
	le.PutUint32(b[8:], uint32(l.Window))
	le.PutUint32(b[12:], l.Sum)
	le.PutUint64(b[16:], uint64(l.Offset))
	le.PutUint64(b[24:], uint64(l.Length))
}

func parseLayer(b []byte) Layer {
	le := binary.LittleEndian
	return Layer{
		Kind: LayerKind(b[0]), KVHeads: int(le.Uint16(b[2:])), HeadDim: int(le.Uint16(b[4:])), Window: int(le.Uint32(b[8:])),
		Sum: le.Uint32(b[12:]), Offset: int64(le.Uint64(b[16:])), Length: int64(le.Uint64(b[24:])),
	}
}
