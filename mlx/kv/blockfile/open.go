package blockfile

import (
	"bytes"
	"crypto/hmac"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Open verifies a whole block file: that it is the block asked for, made by this tenant, and unchanged. Only then
// may its payload be used. Anything else is kv.ErrDamaged, or kv.ErrVersion.
func Open(t *kv.Tenant, want kv.Ref, file []byte) (*Header, []byte, error) {
	h, err := ReadHeader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, nil, err
	}
	if !hmac.Equal(file[h.Length-sealBytes:h.Length-4], t.MAC(file[:h.Length-sealBytes])) {
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

// Intact tells, without any secret, whether a file is the block that its name says and whole by all its checksums.
func Intact(want kv.Ref, file []byte) bool {
	h, err := ReadHeader(bytes.NewReader(file), int64(len(file)))
	if err != nil || h.Key != want.Key || h.Space != want.Space || h.Parent != want.Parent {
		return false
	}
	for _, l := range h.Layers {
		if isWhole, err := h.Whole(bytes.NewReader(file), l); err != nil || !isWhole {
			return false
		}
	}
	return true
}

// Whole tells whether a layer's part of the payload is as it was sealed.
func (h *Header) Whole(f io.ReaderAt, l Layer) (bool, error) {
	part := make([]byte, l.Length)
	if _, err := f.ReadAt(part, int64(h.Length)+l.Offset); err != nil {
		return false, fmt.Errorf("read a block's payload: %w", err)
	}
	return crc32.Checksum(part, castagnoli) == l.Sum, nil
}
