package auth

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/platform/lru"
)

// Directory keeps keys. Every error but ErrUnknown means that it could not be asked.
type Directory interface {
	// Revision returns a number that changes with every key that is made or revoked, 0 before the first.
	Revision(ctx context.Context) (int64, error)
	// Find returns the key with a hash. ErrUnknown: there is none, or it was revoked.
	Find(ctx context.Context, hash Hash) (Key, error)
	// Held returns those of the keys that are neither unknown nor revoked.
	Held(ctx context.Context, ids []string) ([]string, error)
}

// Bounds of what is known of the directory.
const (
	KnownFor        = 5 * time.Minute // after it was last asked, keys that it held are taken without it
	unknownFor      = 5 * time.Second // a hash that it does not know is not asked for again
	mostKnown       = 10_000
	mostUnknown     = 10_000
	mostLookups     = 4               // at once
	lookupPatience  = 3 * time.Second // with one
	unknownRevision = -1
)

var errAway = errors.New("the directory of keys can't be asked")

// known is what the directory told. What it tells of a key is true as of a revision, and used as long as that
// is the one that was seen last: so a key that was revoked while it was looked up is never kept.
type known struct {
	directory Directory
	lookups   chan struct{} // holds a token for each lookup under way

	syncs sync.Mutex // held while the directory is asked for its revision, before mu

	mu        sync.Mutex
	revision  int64     // seen last
	confirmed time.Time // when that was asked for
	away      bool      // the last time it could not be
	held      *lru.Map[Hash, heldKey]
	none      *lru.Map[Hash, noKey]
	running   map[string]map[*entered]bool // by the keys' ids
}

type heldKey struct {
	finding
	at time.Time
}

type noKey struct {
	revision int64
	at       time.Time
}

func newKnown(d Directory) *known {
	return &known{
		directory: d, lookups: make(chan struct{}, mostLookups), revision: unknownRevision,
		held: lru.New[Hash, heldKey](mostKnown), none: lru.New[Hash, noKey](mostUnknown), running: map[string]map[*entered]bool{},
	}
}

// find returns the key with a hash.
func (k *known) find(ctx context.Context, hash Hash) (finding, error) {
	if f, err, is := k.remembered(hash); is {
		return f, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	select {
	case k.lookups <- struct{}{}:
		defer func() { <-k.lookups }()
	case <-ctx.Done():
		return finding{}, errAway
	}
	if f, err, is := k.remembered(hash); is { // somebody asked meanwhile
		return f, err
	}
	return k.ask(ctx, hash)
}

// remembered tells what is known of a hash, if it need not be asked for.
func (k *known) remembered(hash Hash) (f finding, err error, is bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if h, ok := k.held.Get(hash); ok && h.revision == k.revision && now.Sub(later(h.at, k.confirmed)) < KnownFor {
		return h.finding, nil, true
	}
	if n, ok := k.none.Get(hash); ok && n.revision == k.revision && now.Sub(n.at) < unknownFor {
		return finding{}, ErrUnknown, true
	}
	if k.away {
		return finding{}, errAway, true
	}
	return finding{}, nil, false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// ask looks a hash up in the directory. The revision is asked for first, so that the answer is true of it or
// of a later one.
func (k *known) ask(ctx context.Context, hash Hash) (finding, error) {
	began := time.Now()
	revision, err := k.directory.Revision(ctx)
	if err != nil {
		return finding{}, err
	}
	key, err := k.directory.Find(ctx, hash)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return finding{}, err
	}
	k.mu.Lock()
	isNew := revision != k.revision
	k.mu.Unlock()
	if isNew {
		if _, err := k.sync(ctx); err != nil {
			return finding{}, err
		}
	}
	f := finding{key: key, revision: revision}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err != nil:
		k.none.Put(hash, noKey{revision, began})
	case revision == k.revision:
		k.held.Put(hash, heldKey{f, began})
	}
	return f, err
}

// sync asks for the revision and, if it is another one, which of the known keys hold. It tells whether a key
// was ever made.
func (k *known) sync(ctx context.Context) (made bool, err error) {
	k.syncs.Lock()
	defer k.syncs.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookupPatience)
	defer cancel()
	began := time.Now()
	revision, err := k.directory.Revision(ctx)
	if err == nil {
		err = k.follow(ctx, revision)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.away = err != nil; k.away {
		return false, err
	}
	k.confirmed = began
	return revision > 0, nil
}

// follow makes a revision the one that was seen last. From then on keys are looked up anew, until it is known
// which of them hold; a request that enters meanwhile does so under the new revision.
func (k *known) follow(ctx context.Context, revision int64) error {
	k.mu.Lock()
	was := k.revision
	if was == revision {
		k.mu.Unlock()
		return nil
	}
	k.revision = revision
	ids := k.ids()
	k.mu.Unlock()
	held, err := k.standing(ctx, ids)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.revision = was // nothing is known of the new one
		return err
	}
	k.held.Update(func(_ Hash, h heldKey) (heldKey, bool) {
		if _, asked := slices.BinarySearch(ids, h.key.ID); asked && h.revision == was {
			if !held[h.key.ID] {
				return h, false
			}
			h.revision = revision
		}
		return h, true
	})
	for _, id := range ids {
		if !held[id] {
			k.cut(id)
		}
	}
	return nil
}

// ids are those of all keys that are held or in use. The caller holds mu.
func (k *known) ids() (all []string) {
	k.held.Update(func(_ Hash, h heldKey) (heldKey, bool) {
		all = append(all, h.key.ID)
		return h, true
	})
	for id := range k.running {
		all = append(all, id)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (k *known) standing(ctx context.Context, ids []string) (map[string]bool, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	held, err := k.directory.Held(ctx, ids)
	if err != nil {
		return nil, err
	}
	standing := map[string]bool{}
	for _, id := range held {
		standing[id] = true
	}
	return standing, nil
}
