package kv

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The block file to the byte is told in docs/block-format.md; the numbers here follow its tables.
const (
	magic         = "AGMEMKV\n"
	formatVersion = 1

	fixedBytes  = 256 // of the header before its tables
	layerBytes  = 40  // of a row of the layer table
	tagBytes    = 16
	sealBytes   = 36   // MAC and CRC32C at the header's end
	headerAlign = 4096 // the payload begins at a multiple
	mostHeader  = 1 << 20
	mostLayers  = 4096
)

// ErrVersion marks a block file of a format that this version does not read. It is not damaged.
var ErrVersion = errors.New("the block's format is not known to this version")

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

// Header is what a block file says of itself.
type Header struct {
	Entry
	Bits    int    // of an element at rest: 16, 8 or 4
	Class   string // numerics class of whoever computed it, at most 32 bytes
	Layers  []Layer
	Payload int64 // bytes
	Length  int   // bytes of the header itself, where the payload begins
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Seal makes a block's file of a header and one part of payload for each of its layers.
func (t *Tenant) Seal(h Header, parts [][]byte) ([]byte, error) {
	if err := h.sealable(t, parts); err != nil {
		return nil, fmt.Errorf("seal block %s: %w", h.Key, err)
	}
	h.Length = headerLength(len(h.Layers), len(h.Tags))
	for _, part := range parts {
		h.Payload += int64(len(part))
	}
	file := make([]byte, h.Length, int64(h.Length)+h.Payload)
	h.putFixed(file)
	at := fixedBytes
	var offset int64
	for i, part := range parts {
		layer := h.Layers[i]
		layer.Offset, layer.Length, layer.Sum = offset, int64(len(part)), crc32.Checksum(part, castagnoli)
		layer.put(file[at:])
		at, offset = at+layerBytes, offset+layer.Length
	}
	for _, tag := range h.Tags {
		at += copy(file[at:], tag[:])
	}
	copy(file[h.Length-sealBytes:], t.mac(file[:h.Length-sealBytes]))
	sum := crc32.Checksum(file[:h.Length-4], castagnoli)
	binary.LittleEndian.PutUint32(file[h.Length-4:], sum)
	for _, part := range parts {
		file = append(file, part...)
	}
	return file, nil
}

func (h *Header) sealable(t *Tenant, parts [][]byte) error {
	switch {
	case h.Salt != t.ID:
		return errors.New("it belongs to another tenant")
	case len(h.Tags) == 0 || len(h.Tags) > BlockTokens:
		return fmt.Errorf("%d tokens", len(h.Tags))
	case len(h.Layers) == 0 || len(h.Layers) > mostLayers || len(h.Layers) != len(parts):
		return fmt.Errorf("%d layers and %d parts", len(h.Layers), len(parts))
	case len(h.Class) > 32:
		return fmt.Errorf("the class %q is longer than 32 bytes", h.Class)
	}
	return nil
}

func headerLength(layers, tokens int) int {
	n := fixedBytes + layerBytes*layers + tagBytes*tokens + sealBytes
	return (n + headerAlign - 1) / headerAlign * headerAlign
}

func (h *Header) putFixed(b []byte) {
	le := binary.LittleEndian
	copy(b, magic)
	le.PutUint16(b[8:], formatVersion)
	le.PutUint32(b[12:], uint32(h.Length))
	copy(b[16:], h.Key[:])
	copy(b[48:], h.Parent[:])
	copy(b[80:], h.Fingerprint[:])
	copy(b[112:], h.Salt[:])
	le.PutUint32(b[120:], BlockTokens)
	le.PutUint32(b[124:], uint32(len(h.Tags)))
	le.PutUint32(b[128:], uint32(h.Index))
	le.PutUint16(b[132:], uint16(len(h.Layers)))
	b[134] = byte(h.Bits)
	copy(b[192:224], h.Class)
	le.PutUint64(b[224:], uint64(h.Payload))
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

func (t *Tenant) mac(header []byte) []byte {
	mac := hmac.New(sha256.New, t.seal[:])
	mac.Write(header)
	return mac.Sum(nil)
}

// ReadHeader reads and checks the header of a block file of size bytes, without any secret: that it is whole, of a
// known version and fits the file. The error is ErrVersion, ErrDamaged or the reader's own.
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
func ReadEntry(f io.ReaderAt, size int64) (Entry, error) {
	h, err := ReadHeader(f, size)
	if err != nil {
		return Entry{}, err
	}
	return h.Entry, nil
}

// checkStart reads the header's length after the fields that every version begins with.
func checkStart(b []byte, size int64) (int, error) {
	if string(b[:8]) != magic {
		return 0, damaged("it does not begin as a block file")
	}
	if version := binary.LittleEndian.Uint16(b[8:]); version != formatVersion {
		return 0, fmt.Errorf("version %d: %w", version, ErrVersion)
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
	h.Class = string(bytes.TrimRight(b[192:224], "\x00"))
	h.Bytes, h.Payload = size, int64(le.Uint64(b[224:]))
	tokens, layers := int(le.Uint32(b[124:])), int(le.Uint16(b[132:]))
	switch {
	case le.Uint32(b[120:]) != BlockTokens || tokens < 1 || tokens > BlockTokens:
		return nil, damaged("%d of %d tokens", tokens, le.Uint32(b[120:]))
	case layers < 1 || layers > mostLayers || headerLength(layers, tokens) != len(b):
		return nil, damaged("%d layers and %d tokens in a header of %d bytes", layers, tokens, len(b))
	case le.Uint16(b[136:]) != 0:
		return nil, fmt.Errorf("cipher %d: %w", le.Uint16(b[136:]), ErrVersion)
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
	h.Tags = make([]Tag, tokens)
	for i := range h.Tags {
		at += copy(h.Tags[i][:], b[at:])
	}
	return nil
}

func parseLayer(b []byte) Layer {
	le := binary.LittleEndian
	return Layer{
		Kind: LayerKind(b[0]), KVHeads: int(le.Uint16(b[2:])), HeadDim: int(le.Uint16(b[4:])), Window: int(le.Uint32(b[8:])),
		Sum: le.Uint32(b[12:]), Offset: int64(le.Uint64(b[16:])), Length: int64(le.Uint64(b[24:])),
	}
}

// Open verifies a whole block file: that it is the block asked for, made by this tenant, and unchanged. Only then
// may its payload be used. Anything else is ErrDamaged, or ErrVersion.
func (t *Tenant) Open(want Entry, file []byte) (*Header, []byte, error) {
	h, err := ReadHeader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, nil, err
	}
	if !hmac.Equal(file[h.Length-sealBytes:h.Length-4], t.mac(file[:h.Length-sealBytes])) {
		return nil, nil, damaged("the header's seal does not match this tenant")
	}
	if h.Key != want.Key || h.Space != want.Space || h.Parent != want.Parent {
		return nil, nil, damaged("it is the block %s, not %s", h.Key, want.Key)
	}
	payload := file[h.Length:]
	for i, l := range h.Layers {
		if crc32.Checksum(payload[l.Offset:l.Offset+l.Length], castagnoli) != l.Sum {
			return nil, nil, damaged("the checksum of layer %d does not match", i)
		}
	}
	return h, payload, nil
}

// Whole tells whether a layer's part of the payload is as it was sealed.
func (h *Header) Whole(f io.ReaderAt, l Layer) (bool, error) {
	part := make([]byte, l.Length)
	if _, err := f.ReadAt(part, int64(h.Length)+l.Offset); err != nil {
		return false, fmt.Errorf("read a block's payload: %w", err)
	}
	return crc32.Checksum(part, castagnoli) == l.Sum, nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}
