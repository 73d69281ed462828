package tiertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// toyHead is how a toy block begins. A checksum of it and one of what follows stand behind it.
type toyHead struct {
	Magic   [4]byte
	Space   kv.Space
	Key     kv.Key
	Parent  kv.Key
	Tokens  uint32
	Payload uint32
}

const toySums = 8

// Toy makes a block of a format of its own, for tests of what does not look into blocks. Equal arguments make equal
// blocks. It has the form that Run wants.
func Toy(_ *testing.T, space kv.Space, parent kv.Key, tokens int, seed uint64) (kv.Entry, []byte) {
	return SizedToy(space, parent, tokens, seed, 1000+int(seed%7)*500)
}

// SizedToy is Toy with a payload of the given size.
func SizedToy(space kv.Space, parent kv.Key, tokens int, seed uint64, size int) (kv.Entry, []byte) {
	name := fmt.Appendf(nil, "%s %s %s %d %d", space.Fingerprint, space.Salt, parent, tokens, seed)
	head := toyHead{[4]byte{'T', 'O', 'Y', '1'}, space, sha256.Sum256(name), parent, uint32(tokens), uint32(size)}
	payload := bytes.Repeat(head.Key[:], size/len(head.Key)+1)[:size]
	data := head.append(nil)
	data = binary.LittleEndian.AppendUint32(data, crc32.ChecksumIEEE(data))
	data = binary.LittleEndian.AppendUint32(data, crc32.ChecksumIEEE(payload))
	data = append(data, payload...)
	return head.entry(int64(len(data))), data
}

func (h toyHead) append(to []byte) []byte {
	to, _ = binary.Append(to, binary.LittleEndian, h) // fails for values of no fixed size only
	return to
}

func (h toyHead) entry(size int64) kv.Entry {
	e := kv.Entry{Ref: kv.Ref{Space: h.Space, Key: h.Key, Parent: h.Parent, Tokens: int(h.Tokens)}, Bytes: size}
	for i := range h.Tokens {
		sum := sha256.Sum256(binary.LittleEndian.AppendUint32(h.Key[:], i))
		e.Tags = append(e.Tags, kv.Tag(sum[:len(kv.Tag{})]))
	}
	return e
}

// ToyHeader reads a toy block's header and checks it, but not what follows.
func ToyHeader(f io.ReaderAt, size int64) (kv.Entry, error) {
	var head toyHead
	raw := make([]byte, binary.Size(head)+toySums)
	if _, err := f.ReadAt(raw, 0); err != nil {
		return kv.Entry{}, fmt.Errorf("read toy header: %w", err)
	}
	signed := raw[:len(raw)-toySums]
	if binary.LittleEndian.Uint32(raw[len(signed):]) != crc32.ChecksumIEEE(signed) {
		return kv.Entry{}, fmt.Errorf("%w: toy header's checksum", kv.ErrDamaged)
	}
	if _, err := binary.Decode(signed, binary.LittleEndian, &head); err != nil {
		return kv.Entry{}, err
	}
	if size != int64(len(raw))+int64(head.Payload) || head.Tokens > kv.BlockTokens {
		return kv.Entry{}, fmt.Errorf("%w: toy block of %d bytes", kv.ErrDamaged, size)
	}
	return head.entry(size), nil
}

// CheckToy verifies a toy block as a whole.
func CheckToy(data []byte) error {
	if _, err := ToyHeader(bytes.NewReader(data), int64(len(data))); err != nil {
		return err
	}
	head := binary.Size(toyHead{})
	if binary.LittleEndian.Uint32(data[head+4:]) != crc32.ChecksumIEEE(data[head+toySums:]) {
		return fmt.Errorf("%w: toy payload's checksum", kv.ErrDamaged)
	}
	return nil
}
