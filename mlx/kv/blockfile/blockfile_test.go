package blockfile_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
)

// golden was written by oracle/blocks.py, which knows the formulas from docs/block-format.md only.
type golden struct {
	Cluster, Tenant, Model, Class   string
	Bits                            int
	Tokens                          []kv.Token
	Next                            kv.Token
	Fingerprint, SaltID, Tail, File string
	Keys, Tags                      []string
}

func readGolden(t testing.TB) (g golden) {
	t.Helper()
	raw, err := os.ReadFile("testdata/blocks.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// parts are two layers of payload that the script makes in the same way.
func parts(tokens int) [][]byte {
	out := [][]byte{make([]byte, 8*tokens), make([]byte, 4*tokens)}
	for l := range out {
		for i := range out[l] {
			out[l][i] = byte(7*i + l)
		}
	}
	return out
}

func tailOf(g golden) (*kv.Tenant, blockfile.Header) {
	tenant := kv.NewTenant([]byte(g.Cluster), g.Tenant)
	f := kv.NewFingerprint(sha256.Sum256([]byte(g.Model)), kv.AtRest(g.Bits))
	keys := tenant.Keys(f, g.Tokens)
	tail := g.Tokens[len(keys)*kv.BlockTokens:]
	h := blockfile.Header{Bits: g.Bits, Class: g.Class, Layers: []blockfile.Layer{
		{Kind: blockfile.FullLayer, KVHeads: 2, HeadDim: 2}, {Kind: blockfile.WindowLayer, KVHeads: 1, HeadDim: 2, Window: 48},
	}}
	h.Space, h.Parent = kv.Space{Fingerprint: f, Salt: tenant.ID}, keys[len(keys)-1]
	h.Index = len(keys)
	h.Tokens = len(tail)
	h.Key, h.Tags = tenant.Key(f, h.Parent, tail), tenant.Tags(f, h.Parent, append(slices.Clone(tail), g.Next))
	h.Tags, h.Next = h.Tags[:len(tail)], h.Tags[len(tail)]
	return tenant, h
}

func seal(t testing.TB, tenant *kv.Tenant, h blockfile.Header) []byte {
	t.Helper()
	file, err := blockfile.Seal(tenant, h, parts(len(h.Tags)))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestKeysTagsAndFilesEqualTheGoldenValues(t *testing.T) {
	g := readGolden(t)
	tenant, h := tailOf(g)
	file := sha256.Sum256(seal(t, tenant, h))
	for name, pair := range map[string][2]string{
		"fingerprint": {h.Fingerprint.String(), g.Fingerprint}, "salt id": {tenant.ID.String(), g.SaltID},
		"tail": {h.Key.String(), g.Tail}, "file": {hex.EncodeToString(file[:]), g.File},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %s, the script says %s", name, pair[0], pair[1])
		}
	}
	keys := tenant.Keys(h.Fingerprint, g.Tokens)
	if len(keys) != len(g.Keys) || len(h.Tags) != len(g.Tags) {
		t.Fatalf("%d keys and %d tags, the script has %d and %d", len(keys), len(h.Tags), len(g.Keys), len(g.Tags))
	}
	for i, key := range keys {
		if key.String() != g.Keys[i] {
			t.Errorf("key %d is %s, the script says %s", i, key, g.Keys[i])
		}
	}
	for i, tag := range h.Tags {
		if hex.EncodeToString(tag[:]) != g.Tags[i] {
			t.Errorf("tag %d differs from the script's", i)
		}
	}
}

func TestASealedBlockOpens(t *testing.T) {
	tenant, h := tailOf(readGolden(t))
	file := seal(t, tenant, h)
	got, payload, err := blockfile.Open(tenant, h.Ref, file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(payload, slices.Concat(parts(len(h.Tags))...)) || !slices.Equal(got.Tags, h.Tags) ||
		got.Class != h.Class || got.Index != h.Index || got.Bits != h.Bits || got.Layers[1].Window != 48 {
		t.Fatalf("%+v", got)
	}
}

func TestEveryFlippedByteIsDetected(t *testing.T) {
	tenant, h := tailOf(readGolden(t))
	file := seal(t, tenant, h)
	for i := range file {
		broken := bytes.Clone(file)
		broken[i] ^= 1 << (i % 8)
		if _, _, err := blockfile.Open(tenant, h.Ref, broken); !errors.Is(err, kv.ErrDamaged) && !errors.Is(err, kv.ErrVersion) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
}

func TestEveryTruncationAndExtensionIsDetected(t *testing.T) {
	tenant, h := tailOf(readGolden(t))
	file := seal(t, tenant, h)
	for n := range file {
		if _, _, err := blockfile.Open(tenant, h.Ref, file[:n]); !errors.Is(err, kv.ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, _, err := blockfile.Open(tenant, h.Ref, append(bytes.Clone(file), 0)); !errors.Is(err, kv.ErrDamaged) {
		t.Fatalf("a byte more: %v", err)
	}
}

func TestABlockOfAnotherTenantModelOrPlaceIsRefused(t *testing.T) {
	g := readGolden(t)
	tenant, h := tailOf(g)
	file := seal(t, tenant, h)
	stranger := kv.NewTenant([]byte(g.Cluster), "stranger")
	if _, _, err := blockfile.Open(stranger, h.Ref, file); !errors.Is(err, kv.ErrDamaged) {
		t.Errorf("another tenant: %v", err)
	}
	for name, change := range map[string]func(*kv.Ref){
		"model": func(e *kv.Ref) { e.Fingerprint[0]++ }, "key": func(e *kv.Ref) { e.Key[0]++ },
		"parent": func(e *kv.Ref) { e.Parent[0]++ }, "salt": func(e *kv.Ref) { e.Salt[0]++ },
	} {
		want := h.Ref
		change(&want)
		if _, _, err := blockfile.Open(tenant, want, file); !errors.Is(err, kv.ErrDamaged) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestDifferentFieldsNeverShareAKey(t *testing.T) {
	cluster := []byte("cluster")
	rapid.Check(t, func(r *rapid.T) {
		draw := func(label string) (kv.Fingerprint, string, kv.Key, []kv.Token) {
			marked := rapid.Custom(func(r *rapid.T) kv.Token {
				return kv.Token(rapid.Uint32Range(0, 1).Draw(r, "id") | rapid.Uint32Range(0, 7).Draw(r, "marks")<<29)
			})
			tokens := rapid.SliceOfN(marked, 1, 2).Draw(r, label+" tokens")
			return kv.Fingerprint{rapid.Byte().Draw(r, label+" f") % 2}, rapid.SampledFrom([]string{"", "a", "aa"}).Draw(r, label+" tenant"),
				kv.Key{rapid.Byte().Draw(r, label+" parent") % 2}, tokens
		}
		f1, t1, p1, x1 := draw("first")
		f2, t2, p2, x2 := draw("second")
		same := f1 == f2 && t1 == t2 && p1 == p2 && slices.Equal(x1, x2)
		if (kv.NewTenant(cluster, t1).Key(f1, p1, x1) == kv.NewTenant(cluster, t2).Key(f2, p2, x2)) != same {
			r.Fatal("keys and fields do not agree")
		}
	})
}

// FuzzReadHeader writes a patch over a real header, with its checksum mended or not. Patches are small: a fuzzer that
// mutates whole files spends its time copying them.
func FuzzReadHeader(f *testing.F) {
	tenant, h := tailOf(readGolden(f))
	file := seal(f, tenant, h)
	length := int(binary.LittleEndian.Uint32(file[12:]))
	f.Add(uint16(0), []byte("AGMEMKV\n"), int64(0), true)
	f.Add(uint16(8), []byte{2}, int64(0), true)
	f.Add(uint16(12), []byte{0, 16, 0, 0}, int64(1<<40), true)
	f.Add(uint16(120), []byte{0, 1, 0, 0, 255, 255, 255, 255}, int64(-1), true)
	f.Add(uint16(132), []byte{255, 255}, int64(0), false)
	f.Add(uint16(224), bytes.Repeat([]byte{255}, 64), int64(-4000), true)
	f.Fuzz(func(t *testing.T, at uint16, patch []byte, grown int64, mended bool) {
		data := bytes.Clone(file[:length])
		copy(data[int(at)%length:], patch)
		if n := int64(binary.LittleEndian.Uint32(data[12:])); mended && n >= 8 && n <= int64(length) {
			sum := crc32.Checksum(data[:n-4], crc32.MakeTable(crc32.Castagnoli))
			binary.LittleEndian.PutUint32(data[n-4:], sum)
		}
		size := int64(len(file)) + grown%(1<<50)
		got, err := blockfile.ReadHeader(bytes.NewReader(data), size)
		if err == nil && (len(got.Tags) < 1 || len(got.Tags) > kv.BlockTokens || int64(got.Length)+got.Payload != size) {
			t.Fatalf("accepted %+v", got)
		}
	})
}
