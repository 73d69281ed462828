package tiertest

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
)

// Sealed makes a block file of the real format, for tests of what looks into blocks. Equal arguments make equal blocks. It
// has the form that Run wants.
func Sealed(t *testing.T, space kv.Space, parent kv.Key, tokens int, seed uint64) (kv.Entry, []byte) {
	t.Helper()
	key := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %d %d", space.Fingerprint, space.Salt, parent, tokens, seed))
	e := kv.Entry{Ref: kv.Ref{Space: space, Key: key, Parent: parent, Tokens: tokens}}
	for i := range tokens {
		sum := sha256.Sum256(fmt.Appendf(key[:], "%d", i))
		e.Tags = append(e.Tags, kv.Tag(sum[:len(kv.Tag{})]))
	}
	header := blockfile.Header{Entry: e, Bits: 16, Class: "test", Layers: []blockfile.Layer{{Kind: blockfile.FullLayer, KVHeads: 1, HeadDim: 1}}}
	tenant := kv.Tenant{ID: space.Salt}
	file, err := blockfile.Seal(&tenant, header, [][]byte{bytes.Repeat(key[:], 64+int(seed%7)*16)})
	if err != nil {
		t.Fatal(err)
	}
	e.Bytes = int64(len(file))
	return e, file
}
