package object

import (
	"context"
	"encoding/hex"
	"strings"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

const (
	// blocksOf is what the names of all blocks begin with.
	blocksOf = "v1/"
	// clusterName is the object that tells which cluster the bucket belongs to.
	clusterName = "cluster"
)

// Inventory is the tier as a store of things that can be listed.
type Inventory struct{ tier *Tier }

var _ kv.Inventory = Inventory{}

// NewInventory returns the inventory of a tier.
func NewInventory(t *Tier) Inventory { return Inventory{t} }

// Delete implements kv.Inventory.
func (i Inventory) Delete(ctx context.Context, ref kv.Ref) error { return i.tier.Delete(ctx, ref) }

// Walk implements kv.Inventory, by a listing for each thousand objects. What is no block's name is passed over.
func (i Inventory) Walk(ctx context.Context, visit func([]kv.Stored) error) error {
	for after := ""; ; {
		page, err := i.tier.cfg.list(ctx, blocksOf, after)
		if err != nil {
			return i.tier.fault(kv.Ref{}, err)
		}
		blocks := make([]kv.Stored, 0, len(page))
		for _, object := range page {
			if ref, ok := refOf(object.Key); ok {
				blocks = append(blocks, kv.Stored{Ref: ref, Bytes: object.Size, At: object.Modified})
			}
		}
		if len(blocks) > 0 {
			if err := visit(blocks); err != nil {
				return err
			}
		}
		if len(page) < pageOfNames {
			return nil
		}
		after = page[len(page)-1].Key
	}
}

// Claim implements kv.Inventory.
func (i Inventory) Claim(ctx context.Context, proposed string) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, i.tier.cfg.ReadDeadline)
	defer cancel()
	if isStored, err := i.tier.cfg.Bucket.Put(ctx, clusterName, []byte(proposed)); err != nil || isStored {
		return proposed, i.tier.fault(kv.Ref{}, err)
	}
	there, err := i.tier.cfg.Bucket.Get(ctx, clusterName, nil)
	return string(there), i.tier.fault(kv.Ref{}, err)
}

// refOf is what a block's name tells of it, or false for what is no block's name.
func refOf(path string) (ref kv.Ref, ok bool) {
	parts := strings.Split(strings.TrimPrefix(path, blocksOf), "/")
	if len(parts) != 4 {
		return ref, false
	}
	parent, key, _ := strings.Cut(parts[3], ".")
	for _, part := range []struct {
		text string
		to   []byte
	}{{parts[0], ref.Fingerprint[:]}, {parts[1], ref.Salt[:]}, {parent, ref.Parent[:]}, {key, ref.Key[:]}} {
		raw, err := hex.DecodeString(part.text)
		if err != nil || len(raw) != len(part.to) {
			return ref, false
		}
		copy(part.to, raw)
	}
	return ref, pathOf(ref) == path
}
