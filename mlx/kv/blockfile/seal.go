package blockfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Seal makes a block's file of a header and one part of payload for each of its layers.
func Seal(t *kv.Tenant, h Header, parts [][]byte) ([]byte, error) {
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
	copy(file[h.Length-sealBytes:], t.MAC(file[:h.Length-sealBytes]))
	sum := crc32.Checksum(file[:h.Length-4], castagnoli)
	binary.LittleEndian.PutUint32(file[h.Length-4:], sum)
	for _, part := range parts {
		file = append(file, part...)
	}
	return file, nil
}

func (h *Header) sealable(t *kv.Tenant, parts [][]byte) error {
	switch {
	case h.Salt != t.ID:
		return errors.New("it belongs to another tenant")
	case len(h.Tags) == 0 || len(h.Tags) > kv.BlockTokens || len(h.Tags) != h.Tokens:
		return fmt.Errorf("%d tags for %d tokens", len(h.Tags), h.Tokens)
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
	le.PutUint32(b[120:], kv.BlockTokens)
	le.PutUint32(b[124:], uint32(len(h.Tags)))
	le.PutUint32(b[128:], uint32(h.Index))
	le.PutUint16(b[132:], uint16(len(h.Layers)))
	b[134] = byte(h.Bits)
	copy(b[192:224], h.Class)
	le.PutUint64(b[224:], uint64(h.Payload))
	copy(b[232:248], h.Next[:])
}
