package object

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// pathOf names a block's object: v1/FINGERPRINT/SALT/HH/PARENT.KEY, where HH are the first two digits of the parent,
// so that one listing finds what continues a block. The first blocks of all sequences lie together.
func pathOf(ref kv.Ref) string { return behind(ref.Space, ref.Parent) + ref.Key.String() }

// behind is what the names of all blocks that continue a parent begin with.
func behind(s kv.Space, parent kv.Key) string {
	return fmt.Sprintf("%s%s/%s.", spaceOf(s), parent.String()[:2], parent)
}

// spaceOf is what the names of all blocks of a space begin with.
func spaceOf(s kv.Space) string { return fmt.Sprintf("v1/%s/%s/", s.Fingerprint, s.Salt) }

// keyOf is the block's key in an object's name, or false for what is no block's name.
func keyOf(path string) (key kv.Key, ok bool) {
	_, name, _ := strings.Cut(path, ".")
	raw, err := hex.DecodeString(name)
	if err != nil || len(raw) != len(key) {
		return key, false
	}
	return kv.Key(raw), true
}
