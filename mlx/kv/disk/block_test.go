package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// sealed is a real block of one layer.
func sealed(t *testing.T, tenant *kv.Tenant, tokens ...int32) (kv.Entry, []byte) {
	t.Helper()
	f := kv.NewFingerprint([32]byte{1}, kv.AtRest(16))
	h := kv.Header{Bits: 16, Class: "cpu/plain/bf16", Layers: []kv.Layer{{Kind: kv.FullLayer, KVHeads: 1, HeadDim: 32}}}
	h.Space = kv.Space{Fingerprint: f, Salt: tenant.ID}
	h.Key, h.Tags = tenant.Key(f, kv.Root, tokens), tenant.Tags(f, kv.Root, tokens)
	file, err := tenant.Seal(h, [][]byte{bytes.Repeat([]byte{9}, 128*len(tokens))})
	if err != nil {
		t.Fatal(err)
	}
	return h.Entry, file
}

// Real block files come back after a restart in a folder that was moved. What is damaged in its header is in
// quarantine, what is damaged behind it is refused when it is opened, and what another version wrote is left alone.
func TestRealBlockFilesAfterARestartElsewhere(t *testing.T) {
	tenant := kv.NewTenant([]byte("cluster"), "default")
	before, after := t.TempDir()+"/before", t.TempDir()+"/after"
	cfg := Config{FS: vfs.OS{}, Dir: before, Budget: 1 << 20, Header: kv.ReadEntry}
	tier := openReal(t, cfg)
	store := func(tokens ...int32) kv.Entry {
		t.Helper()
		e, file := sealed(t, tenant, tokens...)
		if err := tier.Write(t.Context(), e, file); err != nil {
			t.Fatal(err)
		}
		return e
	}
	whole, header, payload, other := store(1, 2, 3), store(4), store(5, 6), store(7)
	change := func(e kv.Entry, edit func([]byte)) {
		t.Helper()
		raw, err := os.ReadFile(tier.at(e.Path()))
		if err != nil {
			t.Fatal(err)
		}
		edit(raw)
		if err := os.WriteFile(tier.at(e.Path()), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change(header, func(b []byte) { b[300] ^= 1 })
	change(payload, func(b []byte) { b[len(b)-1] ^= 1 })
	change(other, func(b []byte) { binary.LittleEndian.PutUint16(b[8:], 2) })
	if err := tier.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(before, after); err != nil {
		t.Fatal(err)
	}

	cfg.Dir = after
	tier = openReal(t, cfg)
	if got := tier.Status().Blocks; got != 2 {
		t.Errorf("%d blocks are found, want the whole one and the one damaged behind its header", got)
	}
	for e, want := range map[*kv.Entry]error{&whole: nil, &payload: kv.ErrDamaged} {
		raw, err := tier.Read(t.Context(), *e, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := tenant.Open(*e, raw); !errors.Is(err, want) {
			t.Errorf("block of %d tokens: %v, want %v", len(e.Tags), err, want)
		}
	}
	if _, err := tier.Read(t.Context(), header, nil); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("the block with a damaged header: %v", err)
	}
	if put, err := os.ReadDir(tier.at(quarantineDir)); err != nil || len(put) != 1 {
		t.Errorf("%d files are in quarantine, %v", len(put), err)
	}
	if _, err := os.Stat(tier.at(other.Path())); err != nil || tier.known(other.Space, other.Key) {
		t.Errorf("the other version's file: %v, found: %v", err, tier.known(other.Space, other.Key))
	}
	if err := tier.Close(); err != nil {
		t.Error(err)
	}
}
