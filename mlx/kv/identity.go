package kv

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// BlockTokens is the number of consecutive tokens whose KV a full block holds.
const BlockTokens = 256

// Key names a block by its content's history: equal keys mean equal KV.
type Key [sha256.Size]byte

func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Root is the parent of every sequence's first block.
var Root Key

// Fingerprint names what KV depends on besides tokens: weights, configuration, tokenizer, and form at rest.
type Fingerprint [sha256.Size]byte

func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Tag is one token's mark in a block: a MAC of the tokens up to it under the tenant's secret.
type Tag [16]byte

// SaltID names a tenant's salt without telling it.
type SaltID [8]byte

func (s SaltID) String() string { return hex.EncodeToString(s[:]) }

// Form is how KV is kept at rest, as far as it is part of the fingerprint.
type Form struct {
	Bits        int    // of an element: 16 (bf16), 8 or 4 (groups along the head)
	Layout      string // order of the elements
	BlockTokens int
}

// AtRest is the form that this version writes at the given bits.
func AtRest(bits int) Form { return Form{Bits: bits, Layout: "rows/1", BlockTokens: BlockTokens} }

// NewFingerprint joins the digest of a model's files with the form of KV at rest.
func NewFingerprint(model [sha256.Size]byte, form Form) Fingerprint {
	h := newTagged("agent-memory fingerprint v2")
	h.bytes("model", model[:])
	h.number("bits", uint64(form.Bits))
	h.bytes("layout", []byte(form.Layout))
	h.number("block tokens", uint64(form.BlockTokens))
	return Fingerprint(h.sum())
}

// Tenant holds the secrets of one tenant, all derived from the cluster's one secret.
type Tenant struct {
	ID   SaltID
	salt [sha256.Size]byte // goes into keys
	tag  [sha256.Size]byte // key of the tokens' tags
	seal [sha256.Size]byte // key of the headers' MAC
}

// NewTenant derives a tenant's secrets from the cluster's.
func NewTenant(cluster []byte, tenant string) *Tenant {
	t := &Tenant{}
	t.salt = derive(cluster, "salt", tenant)
	t.tag = derive(cluster, "tag", tenant)
	t.seal = derive(cluster, "seal", tenant)
	id := derive(cluster, "salt id", tenant)
	copy(t.ID[:], id[:])
	return t
}

// derive is HMAC-SHA256 under the cluster's secret over a tagged purpose and tenant.
func derive(cluster []byte, purpose, tenant string) (out [sha256.Size]byte) {
	mac := hmac.New(sha256.New, cluster)
	t := tagged{mac}
	t.bytes("domain", []byte("agent-memory secret v1"))
	t.bytes("purpose", []byte(purpose))
	t.bytes("tenant", []byte(tenant))
	copy(out[:], mac.Sum(nil))
	return out
}

// MAC is HMAC-SHA256 under the tenant's secret for headers of block files.
func (t *Tenant) MAC(header []byte) []byte {
	mac := hmac.New(sha256.New, t.seal[:])
	mac.Write(header)
	return mac.Sum(nil)
}

// Key names the block that continues parent with the given tokens:
//
//	SHA-256(domain, fingerprint, tenant's salt, parent, tokens with their marks), every field tagged and length-prefixed.
func (t *Tenant) Key(f Fingerprint, parent Key, tokens []Token) Key {
	h := newTagged("agent-memory block v1")
	h.bytes("fingerprint", f[:])
	h.bytes("salt", t.salt[:])
	h.bytes("parent", parent[:])
	ids := make([]byte, 0, 4*len(tokens))
	for _, token := range tokens {
		ids = binary.LittleEndian.AppendUint32(ids, uint32(token))
	}
	h.bytes("tokens", ids)
	return Key(h.sum())
}

// Keys names the full blocks of a sequence, and returns them without its unfilled end.
func (t *Tenant) Keys(f Fingerprint, tokens []Token) []Key {
	keys, parent := make([]Key, 0, len(tokens)/BlockTokens), Root
	for ; len(tokens) >= BlockTokens; tokens = tokens[BlockTokens:] {
		parent = t.Key(f, parent, tokens[:BlockTokens])
		keys = append(keys, parent)
	}
	return keys
}

// Tagger makes the tags of the tokens that follow a parent, each chained to the one before:
//
//	tag(j) = HMAC-SHA256(tag key, fingerprint, parent, tag(j-1), token(j)), cut to 16 bytes.
type Tagger struct {
	mac  hash.Hash
	last Tag
	head [2 * sha256.Size]byte // fingerprint and parent
	sum  []byte
}

// Tagger begins behind a parent.
func (t *Tenant) Tagger(f Fingerprint, parent Key) *Tagger {
	g := &Tagger{mac: hmac.New(sha256.New, t.tag[:])}
	copy(g.head[:], f[:])
	copy(g.head[sha256.Size:], parent[:])
	return g
}

// Try returns the tag of a token at the present place without going on.
func (g *Tagger) Try(token Token) (tag Tag) {
	var fields [len(g.head) + len(tag) + 4]byte
	copy(fields[:], g.head[:])
	copy(fields[len(g.head):], g.last[:])
	binary.LittleEndian.PutUint32(fields[len(fields)-4:], uint32(token))
	g.mac.Reset()
	g.mac.Write(fields[:])
	g.sum = g.mac.Sum(g.sum[:0])
	copy(tag[:], g.sum)
	return tag
}

// Accept goes on behind a tag that Try returned, now or before.
func (g *Tagger) Accept(tag Tag) { g.last = tag }

// Tags are those of the tokens, in order.
func (t *Tenant) Tags(f Fingerprint, parent Key, tokens []Token) []Tag {
	g, tags := t.Tagger(f, parent), make([]Tag, len(tokens))
	for i, token := range tokens {
		tags[i] = g.Try(token)
		g.Accept(tags[i])
	}
	return tags
}

// tagged writes fields so that no two lists of fields give the same bytes.
type tagged struct{ hash.Hash }

func newTagged(domain string) tagged {
	t := tagged{sha256.New()}
	t.bytes("domain", []byte(domain))
	return t
}

// bytes writes a field: the length of its name, its name, the length of its value, its value.
func (t tagged) bytes(name string, value []byte) {
	var lengths [8]byte
	binary.LittleEndian.PutUint64(lengths[:], uint64(len(name)))
	t.Write(lengths[:])
	t.Write([]byte(name))
	binary.LittleEndian.PutUint64(lengths[:], uint64(len(value)))
	t.Write(lengths[:])
	t.Write(value)
}

func (t tagged) number(name string, value uint64) {
	t.bytes(name, binary.LittleEndian.AppendUint64(nil, value))
}

func (t tagged) sum() (out [sha256.Size]byte) {
	copy(out[:], t.Sum(nil))
	return out
}
