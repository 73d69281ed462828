package object

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/objectstore"
)

// Wipe implements kv.Wiper. It goes from model to model, each with one listing, and lists what lies under the salt there.
func (t *Tier) Wipe(ctx context.Context, salt kv.SaltID, until time.Time) (moved kv.Moved, err error) {
	for after := ""; ; {
		space, found, err := nextSpace(ctx, t, salt, after)
		if err != nil || !found {
			return moved, err
		}
		if err := wipeSpace(ctx, t, space, until, &moved); err != nil {
			return moved, err
		}
		after = fmt.Sprintf("%s%s/~", blocksOf, space.Fingerprint) // behind all of this model's
	}
}

// nextSpace finds the first model behind a name of which there are blocks, whoever's.
func nextSpace(ctx context.Context, t *Tier, salt kv.SaltID, after string) (s kv.Space, found bool, err error) {
	for {
		page, err := t.cfg.list(ctx, blocksOf, after)
		if err != nil {
			return s, false, t.fault(kv.Ref{}, err)
		}
		for _, object := range page {
			if ref, ok := refOf(object.Key); ok {
				return kv.Space{Fingerprint: ref.Fingerprint, Salt: salt}, true, nil
			}
		}
		if len(page) < pageOfNames {
			return s, false, nil
		}
		after = page[len(page)-1].Key
	}
}

func wipeSpace(ctx context.Context, t *Tier, s kv.Space, until time.Time, moved *kv.Moved) error {
	for after := ""; ; {
		page, err := t.cfg.list(ctx, spaceOf(s), after)
		if err != nil {
			return t.fault(kv.Ref{}, err)
		}
		for _, object := range page {
			if object.Modified.After(until) {
				continue
			}
			if err := wipeObject(ctx, t, object); err != nil {
				return err
			}
			moved.Add(object.Size)
		}
		if len(page) < pageOfNames {
			return nil
		}
		after = page[len(page)-1].Key
	}
}

// wipeObject removes an object, also one whose name is no block's.
func wipeObject(ctx context.Context, t *Tier, object objectstore.Object) error {
	if ref, ok := refOf(object.Key); ok {
		return t.Delete(ctx, ref)
	}
	ctx, cancel := context.WithTimeout(ctx, t.cfg.LookDeadline)
	defer cancel()
	if err := t.cfg.Bucket.Delete(ctx, object.Key); err != nil && !errors.Is(err, objectstore.ErrNotFound) {
		return fmt.Errorf("remove object %s: %w", strings.TrimPrefix(object.Key, blocksOf), err)
	}
	return nil
}
