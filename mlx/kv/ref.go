package kv

import (
	"fmt"
	"slices"
)

// Space is what a block belongs to: blocks of different spaces never meet.
type Space struct {
	Fingerprint Fingerprint
	Salt        SaltID
}

// Ref names a block. It is all that is needed to find one in any tier.
type Ref struct {
	Space
	Key    Key
	Parent Key
	Index  int // of the block in its sequence, from 0
	Tokens int // whose KV it holds: BlockTokens of a full block, fewer of a tail
}

// Full tells whether other blocks may continue this one. A block that is not full is a tail.
func (r Ref) Full() bool { return r.Tokens == BlockTokens }

// Path names the block below a tier's root. Tails lie under their parent's name, so that one listing finds them.
func (r Ref) Path() string {
	dir := fmt.Sprintf("v1/%s/%s/", r.Fingerprint, r.Salt)
	if r.Full() {
		return dir + r.Key.String()[:2] + "/" + r.Key.String()
	}
	return dir + r.Parent.String()[:2] + "/" + r.Parent.String() + "." + r.Key.String()
}

// FullRefs names the full blocks of a sequence of which keys are the first ones, from the given index on.
func FullRefs(s Space, keys []Key, from int) []Ref {
	refs := make([]Ref, 0, len(keys)-from)
	for i := from; i < len(keys); i++ {
		ref := Ref{Space: s, Key: keys[i], Index: i, Tokens: BlockTokens}
		if i > 0 {
			ref.Parent = keys[i-1]
		}
		refs = append(refs, ref)
	}
	return refs
}

// Entry is what a block's header tells of it: its name, and what its tokens are found by.
type Entry struct {
	Ref
	Tags  []Tag // one for each of the Tokens
	Next  Tag   // the tag of the token behind, if it is known though it has no KV: it ends an answer; else zeros
	Bytes int64 // of the stored form
}

// known are the tags of all tokens behind the parent that the block tells of. The token behind a full block has the
// block itself for its parent.
func (e Entry) known() []Tag {
	if e.Next == (Tag{}) || e.Full() {
		return e.Tags
	}
	return append(slices.Clip(e.Tags), e.Next)
}
