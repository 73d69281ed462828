package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// sealed is a real block of one layer.
func sealed(t *testing.T, tenant *kv.Tenant, tokens ...kv.Token) (kv.Entry, []byte) {
	t.Helper()
	f := kv.NewFingerprint([32]byte{1}, kv.AtRest(16))
	h := blockfile.Header{Bits: 16, Class: "cpu/plain/bf16", Layers: []blockfile.Layer{{Kind: blockfile.FullLayer, KVHeads: 1, HeadDim: 32}}}
	h.Space = kv.Space{Fingerprint: f, Salt: tenant.ID}
	h.Tokens = len(tokens)
	h.Key, h.Tags = tenant.Key(f, kv.Root, tokens), tenant.Tags(f, kv.Root, tokens)
	file, err := blockfile.Seal(tenant, h, [][]byte{bytes.Repeat([]byte{9}, 128*len(tokens))})
	if err != nil {
		t.Fatal(err)
	}
	return h.Entry, file
}

// folderOfBlocks is a tier with real blocks on a real folder.
type folderOfBlocks struct {
	*testing.T
	tenant *kv.Tenant
	cfg    Config
	tier   *Tier
}

func (f *folderOfBlocks) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *folderOfBlocks) store(tokens ...kv.Token) kv.Entry {
	f.Helper()
	e, file := sealed(f.T, f.tenant, tokens...)
	f.must(f.tier.Put(f.Context(), e, file))
	return e
}

// change edits a block's file behind the tier's back.
func (f *folderOfBlocks) change(e kv.Entry, edit func([]byte)) {
	f.Helper()
	raw, err := os.ReadFile(f.tier.cfg.at(e.Path()))
	f.must(err)
	edit(raw)
	f.must(os.WriteFile(f.tier.cfg.at(e.Path()), raw, 0o600))
}

// moveTo ends the tier and opens it again in a folder of another name.
func (f *folderOfBlocks) moveTo(dir string) {
	f.Helper()
	f.must(f.tier.Close())
	f.must(os.Rename(f.cfg.Dir, dir))
	f.cfg.Dir = dir
	f.tier = openReal(f.T, f.cfg)
}

// wantOpened reads a block and opens it with its tenant's secret.
func (f *folderOfBlocks) wantOpened(e kv.Entry, want error) {
	f.Helper()
	raw, err := f.tier.Get(f.Context(), e.Ref, nil)
	f.must(err)
	if _, _, err := blockfile.Open(f.tenant, e.Ref, raw); !errors.Is(err, want) {
		f.Errorf("block of %d tokens: %v, want %v", len(e.Tags), err, want)
	}
}

// Real block files come back after a restart in a folder that was moved. What is damaged in its header is in
// quarantine, what is damaged behind it is refused when it is opened, and what another version wrote is left alone.
func TestRealBlockFilesAfterARestartElsewhere(t *testing.T) {
	cfg := Config{FS: vfs.OS{}, Dir: t.TempDir() + "/before", Budget: 1 << 20, Header: blockfile.ReadEntry}
	f := &folderOfBlocks{T: t, tenant: kv.NewTenant([]byte("cluster"), "default"), cfg: cfg, tier: openReal(t, cfg)}
	whole, header, payload, other := f.store(1, 2, 3), f.store(4), f.store(5, 6), f.store(7)
	f.change(header, func(b []byte) { b[300] ^= 1 })
	f.change(payload, func(b []byte) { b[len(b)-1] ^= 1 })
	f.change(other, func(b []byte) { binary.LittleEndian.PutUint16(b[8:], 99) })
	f.moveTo(t.TempDir() + "/after")

	if got := f.tier.Status().Blocks; got != 2 {
		t.Errorf("%d blocks are found, want the whole one and the one damaged behind its header", got)
	}
	f.wantOpened(whole, nil)
	f.wantOpened(payload, kv.ErrDamaged)
	if _, err := f.tier.Get(t.Context(), header.Ref, nil); !errors.Is(err, kv.ErrNotFound) {
		t.Errorf("the block with a damaged header: %v", err)
	}
	if put, err := os.ReadDir(f.tier.cfg.at(quarantineDir)); err != nil || len(put) != 1 {
		t.Errorf("%d files are in quarantine, %v", len(put), err)
	}
	if _, err := os.Stat(f.tier.cfg.at(other.Path())); err != nil || f.tier.catalog.has(other.Space, other.Key) {
		t.Errorf("the other version's file: %v, found: %v", err, f.tier.catalog.has(other.Space, other.Key))
	}
	f.must(f.tier.Close())
}
