package object

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
	"github.com/agent-memory/agent-memory/platform/objectstore"
)

const (
	// headerStart is what is read of an object to learn its tokens: the header of a model of 190 layers fits.
	headerStart = 16 << 10
	// firstAsked is how many blocks of a sequence are asked for at first: of most prompts nothing is there.
	firstAsked = 4
	// mostChildren of a parent are learned at once.
	mostChildren = 64
)

// Lookup implements kv.Tier: what is not remembered is asked for, all at once.
func (t *Tier) Lookup(ctx context.Context, refs []kv.Ref) ([]kv.Copy, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := t.ask(ctx, t.unknown(refs)); err != nil {
		return nil, err
	}
	return t.Known(refs), nil
}

// Known implements kv.Distant.
func (t *Tier) Known(refs []kv.Ref) []kv.Copy {
	copies := make([]kv.Copy, len(refs))
	t.with(func(now time.Time) {
		for i, ref := range refs {
			copies[i] = t.memory.copyOf(ref, now)
		}
	})
	return copies
}

// unknown are those of the blocks of which nothing is remembered.
func (t *Tier) unknown(refs []kv.Ref) (unknown []kv.Ref) {
	for i, known := range t.Known(refs) {
		if known.IsUnknown {
			unknown = append(unknown, refs[i])
		}
	}
	return unknown
}

// Learn implements kv.Distant. The blocks are asked for in rounds of requests side by side, few at first.
func (t *Tier) Learn(ctx context.Context, refs []kv.Ref) error {
	for round := firstAsked; len(refs) > 0; round = min(4*round, t.cfg.Parallel) {
		now := refs[:min(round, len(refs))]
		if err := t.ask(ctx, t.unknown(now)); err != nil {
			return err
		}
		if last := t.Known(now[len(now)-1:]); !last[0].Exists() {
			return nil
		}
		refs = refs[len(now):]
	}
	return nil
}

// LearnBehind implements kv.Distant by one listing, and one small read for each block that was not known.
func (t *Tier) LearnBehind(ctx context.Context, s kv.Space, parent kv.Key) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.LookDeadline)
	defer cancel()
	page, err := t.cfg.Bucket.List(ctx, behind(s, parent), "", mostChildren)
	if err != nil {
		return false, t.fault(kv.Ref{}, err)
	}
	var refs []kv.Ref
	for _, object := range page {
		if key, ok := keyOf(object.Key); ok {
			refs = append(refs, kv.Ref{Space: s, Parent: parent, Key: key})
		}
	}
	unknown := t.unknown(refs)
	return len(unknown) > 0, t.ask(ctx, unknown)
}

// ask reads the headers of blocks, some at once, and remembers what is there and what is not.
func (t *Tier) ask(ctx context.Context, refs []kv.Ref) error {
	failures := make([]error, len(refs))
	places := make(chan struct{}, t.cfg.Parallel)
	var asking sync.WaitGroup
	for i, ref := range refs {
		places <- struct{}{}
		asking.Go(func() {
			failures[i] = t.askOne(ctx, ref)
			<-places
		})
	}
	asking.Wait()
	return errors.Join(failures...)
}

func (t *Tier) askOne(ctx context.Context, ref kv.Ref) error {
	ctx, cancel := context.WithTimeout(ctx, t.cfg.LookDeadline)
	defer cancel()
	start, size, err := t.cfg.Bucket.GetStart(ctx, pathOf(ref), headerStart)
	if errors.Is(err, objectstore.ErrNotFound) {
		t.forget(ref)
		return nil
	}
	if err != nil {
		return t.fault(ref, err)
	}
	e, err := blockfile.ReadEntry(bytes.NewReader(start), size)
	if errors.Is(err, kv.ErrVersion) {
		t.forget(ref)
		return nil
	}
	if err != nil || e.Key != ref.Key || e.Space != ref.Space || e.Parent != ref.Parent {
		t.suspect(ref)
		return nil
	}
	t.remember(e)
	return nil
}

// Browse implements kv.Browser: the tree of what is remembered.
func (t *Tier) Browse(s kv.Space, parent kv.Key, visit func(kv.Branch)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	visit(t.memory.index.Behind(s, parent))
}
