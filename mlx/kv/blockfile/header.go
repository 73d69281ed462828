// Package blockfile is the form of a block at rest: a file that describes itself, told to the byte in docs/block-format.md.
//
// Seal makes a file, Open verifies one. Nothing of a payload may be used before that. What needs no secret, ReadHeader and
// Intact, tells whether a file is whole, not whose it is.
package blockfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// The block file to the byte is told in docs/block-format.md; the numbers here follow its tables.
const (
	magic         = "AGMEMKV\n"
	formatVersion = 2

	fixedBytes  = 256 // of the header before its tables
	layerBytes  = 40  // of a row of the layer table
	tagBytes    = 16
	sealBytes   = 36   // MAC and CRC32C at the header's end
	headerAlign = 4096 // the payload begins at a multiple
	mostHeader  = 1 << 20
	mostLayers  = 4096
)

// Header is what a block file says of itself.
type Header struct {
	kv.Entry
	Bits    int    // of an element at rest: 16, 8 or 4
	Class   string // numerics class of whoever computed it, at most 32 bytes
	Layers  []Layer
	Payload int64 // bytes
	Length  int   // bytes of the header itself, where the payload begins
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ReadHeader reads and checks the header of a block file of size bytes, without any secret: that it is whole, of a
// known version and fits the file. The error is kv.ErrVersion, kv.ErrDamaged or the reader's own.
func ReadHeader(f io.ReaderAt, size int64) (*Header, error) {
	start := make([]byte, 16)
	if size < int64(len(start)) {
		return nil, damaged("a file of %d bytes has no header", size)
	}
	if _, err := f.ReadAt(start, 0); err != nil {
		return nil, fmt.Errorf("read block header: %w", err)
	}
	length, err := checkStart(start, size)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, length)
	if _, err := f.ReadAt(raw, 0); err != nil {
		return nil, fmt.Errorf("read block header: %w", err)
	}
	return parseHeader(raw, size)
}

// ReadEntry is ReadHeader for a tier, which needs no more than what it is found by.
func ReadEntry(f io.ReaderAt, size int64) (kv.Entry, error) {
	h, err := ReadHeader(f, size)
	if err != nil {
		return kv.Entry{}, err
	}
	return h.Entry, nil
}

// checkStart reads the header's length after the fields that every version begins with.
func checkStart(b []byte, size int64) (int, error) {
	if string(b[:8]) != magic {
		return 0, damaged("it does not begin as a block file")
	}
	if version := binary.LittleEndian.Uint16(b[8:]); version != formatVersion {
		return 0, fmt.Errorf("version %d: %w", version, kv.ErrVersion)
	}
	length := int64(binary.LittleEndian.Uint32(b[12:]))
	if length < headerAlign || length > mostHeader || length%headerAlign != 0 || length > size {
		return 0, damaged("a header of %d bytes in a file of %d", length, size)
	}
	return int(length), nil
}

func parseHeader(b []byte, size int64) (*Header, error) {
	le := binary.LittleEndian
	if le.Uint32(b[len(b)-4:]) != crc32.Checksum(b[:len(b)-4], castagnoli) {
		return nil, damaged("the header's checksum does not match")
	}
	h := &Header{Length: len(b), Bits: int(b[134])}
	h.Index = int(le.Uint32(b[128:]))
	copy(h.Key[:], b[16:])
	copy(h.Parent[:], b[48:])
	copy(h.Fingerprint[:], b[80:])
	copy(h.Salt[:], b[112:])
	copy(h.Next[:], b[232:248])
	h.Class = string(bytes.TrimRight(b[192:224], "\x00"))
	h.Bytes, h.Payload = size, int64(le.Uint64(b[224:]))
	tokens, layers := int(le.Uint32(b[124:])), int(le.Uint16(b[132:]))
	h.Tokens = tokens
	switch {
	case le.Uint32(b[120:]) != kv.BlockTokens || tokens < 1 || tokens > kv.BlockTokens:
		return nil, damaged("%d of %d tokens", tokens, le.Uint32(b[120:]))
	case layers < 1 || layers > mostLayers || headerLength(layers, tokens) != len(b):
		return nil, damaged("%d layers and %d tokens in a header of %d bytes", layers, tokens, len(b))
	case le.Uint16(b[136:]) != 0:
		return nil, fmt.Errorf("cipher %d: %w", le.Uint16(b[136:]), kv.ErrVersion)
	case h.Payload != size-int64(len(b)):
		return nil, damaged("a payload of %d bytes where %d are left", h.Payload, size-int64(len(b)))
	}
	return h, h.parseTables(b, layers, tokens)
}

func (h *Header) parseTables(b []byte, layers, tokens int) error {
	at := fixedBytes
	var end int64
	for range layers {
		layer := parseLayer(b[at:])
		if layer.Offset != end || layer.Length < 0 || layer.Length > h.Payload-end {
			return damaged("layer %d lies at %d, %d bytes long", len(h.Layers), layer.Offset, layer.Length)
		}
		end += layer.Length
		h.Layers = append(h.Layers, layer)
		at += layerBytes
	}
	if end != h.Payload {
		return damaged("layers of %d bytes in a payload of %d", end, h.Payload)
	}
	h.Tags = make([]kv.Tag, tokens)
	for i := range h.Tags {
		at += copy(h.Tags[i][:], b[at:])
	}
	return nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", kv.ErrDamaged, fmt.Sprintf(format, args...))
}
