package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
)

const readDeadline = 30 * time.Second // of one block from one tier

// fileMaker makes the files that writers write: a copy from another tier, or an export of the pool's block.
type fileMaker struct {
	cfg     *Config
	tenants *tenants
}

// file is the file of a job for one tier, or nil if nobody has the block any more. A tier's copy is taken as it
// is: what came from elsewhere keeps its numerics class, and the device is left alone.
func (m *fileMaker) file(ctx context.Context, to int, j *job) ([]byte, error) {
	if j.file != nil {
		return j.file, nil
	}
	if file := m.copyOf(ctx, to, j.Ref); file != nil {
		return file, nil
	}
	return m.export(j.Entry)
}

// canMake tells whether a block's file may be written and verified here: by its tenant's secrets.
func (m *fileMaker) canMake(ref kv.Ref) bool {
	return m.tenants.of(ref.Salt) != nil && m.cfg.Storable(ref.Salt)
}

// copyOf is the verified file of a block from another tier that has it, or nil.
func (m *fileMaker) copyOf(ctx context.Context, to int, ref kv.Ref) []byte {
	clean, inPool := m.cfg.Pool.Clean(ref.Space, ref.Key)
	for i, other := range m.cfg.Tiers {
		if i == to || inPool && !clean.Has(i) {
			continue
		}
		file, err := get(ctx, other, ref, nil)
		if err != nil {
			continue
		}
		if _, _, err := blockfile.Open(m.tenants.of(ref.Salt), ref, file); err == nil {
			return file
		}
	}
	return nil
}

// export makes the block's file of the pool's block, or nil if that has left the pool.
func (m *fileMaker) export(e kv.Entry) (file []byte, err error) {
	b := m.cfg.Pool.Acquire(e.Space, e.Key)
	if b == nil {
		return nil, nil
	}
	defer m.cfg.OnDevice(func() { m.cfg.Pool.ReleaseUnused(b) })
	var parts [][]byte
	m.cfg.OnDevice(func() { parts, err = m.cfg.Rows.Export(b.Memory(), e.Tokens) })
	if err != nil {
		return nil, fmt.Errorf("export block %s: %w", e.Key, err)
	}
	form := m.cfg.Form
	return blockfile.Seal(m.tenants.of(e.Salt), blockfile.Header{Entry: e, Bits: form.Bits, Class: form.Class, Layers: form.Layers}, parts)
}

// get reads a block's file from a tier, for at most readDeadline.
func get(ctx context.Context, tier kv.Tier, ref kv.Ref, buf []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, readDeadline)
	defer cancel()
	return tier.Get(ctx, ref, buf)
}
