package disk

import (
	"container/heap"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// victim is a file to be deleted. Its path is claimed, and no index knows it any more.
type victim struct {
	path     string
	physical int64
}

// choose takes files for a shortage out of the index and claims them: other versions' files and strays first, then
// leaves by last use. It takes none if all that may go is not enough, unless partly is set. The caller holds the lock.
func (t *Tier) choose(short shortage, partly bool) []victim {
	var sum int64
	enough := func() bool { return sum >= short.better }
	files := t.looseByAge()
	for i, rel := range files {
		if enough() {
			files = files[:i]
			break
		}
		sum += t.ledger.loose[rel].physical
	}
	var blocks []*block
	leaves := t.leaves(func(*block) bool { return true })
	for leaves.Len() > 0 && !enough() {
		b := leaves.next()
		blocks = append(blocks, b)
		sum += b.Value.physical
	}
	if sum < short.least && !partly {
		return nil
	}
	return slices.Concat(t.takeLoose(files), t.takeBlocks(blocks))
}

// looseByAge are the loose files that may go, oldest first.
func (t *Tier) looseByAge() (files []string) {
	for rel, file := range t.ledger.loose {
		if file.first && t.claims[rel] == nil {
			files = append(files, rel)
		}
	}
	slices.SortFunc(files, t.byAge)
	return files
}

// byAge orders loose files, oldest first. The caller holds the lock.
func (t *Tier) byAge(a, b string) int {
	if c := t.ledger.loose[a].modTime.Compare(t.ledger.loose[b].modTime); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// takeLoose claims loose files. They stay in the ledger until they are gone.
func (t *Tier) takeLoose(files []string) (victims []victim) {
	for _, rel := range files {
		t.claims[rel] = make(chan struct{})
		victims = append(victims, victim{path: rel})
	}
	return victims
}

// takeBlocks claims blocks and takes them out of the index.
func (t *Tier) takeBlocks(blocks []*block) (victims []victim) {
	for _, b := range blocks {
		t.claims[b.Value.path] = make(chan struct{})
		t.index.Remove(b.Space, b.Key)
		victims = append(victims, victim{path: b.Value.path, physical: b.Value.physical})
	}
	return victims
}

// leaves is a heap of blocks without children, those first that are to be given up first. Taking the last child
// makes its parent a leaf.
type leaves struct {
	blocks   []*block
	children map[*block]int
	now      time.Time
	tier     *Tier
	may      func(*block) bool
}

// leaves collects the blocks that may go. The caller holds the lock as long as it uses them.
func (t *Tier) leaves(may func(*block) bool) *leaves {
	l := &leaves{children: map[*block]int{}, now: t.last, tier: t, may: may}
	t.index.All(func(b *block) bool {
		l.children[b] = len(t.index.Children(b.Space, b.Key))
		if l.isLeaf(b) {
			l.blocks = append(l.blocks, b)
		}
		return true
	})
	heap.Init(l)
	return l
}

func (l *leaves) isLeaf(b *block) bool { return l.children[b] == 0 && !l.tier.isBusy(b) && l.may(b) }

// next takes the block that is to be given up first.
func (l *leaves) next() *block {
	b := heap.Pop(l).(*block)
	if parent := l.tier.index.Get(b.Space, b.Parent); parent != nil {
		l.children[parent]--
		if l.isLeaf(parent) {
			heap.Push(l, parent)
		}
	}
	return b
}

// Len implements heap.Interface.
func (l *leaves) Len() int { return len(l.blocks) }

// Less implements heap.Interface: kept ones last, then by last use, then by path so that the order is one.
func (l *leaves) Less(i, j int) bool {
	a, b := &l.blocks[i].Value, &l.blocks[j].Value
	if x, y := a.keep.After(l.now), b.keep.After(l.now); x != y {
		return y
	}
	if c := a.used.Compare(b.used); c != 0 {
		return c < 0
	}
	return a.path < b.path
}

// Swap implements heap.Interface.
func (l *leaves) Swap(i, j int) { l.blocks[i], l.blocks[j] = l.blocks[j], l.blocks[i] }

// Push implements heap.Interface.
func (l *leaves) Push(b any) { l.blocks = append(l.blocks, b.(*block)) }

// Pop implements heap.Interface.
func (l *leaves) Pop() any {
	last := l.blocks[len(l.blocks)-1]
	l.blocks = l.blocks[:len(l.blocks)-1]
	return last
}

// erase deletes victims durably; only then their bytes count as free. What cannot be deleted stays counted.
func (t *Tier) erase(victims []victim, reason string) (failure error) {
	var gone []victim
	folders := map[string]bool{}
	for _, v := range victims {
		err := t.cfg.FS.Remove(t.at(v.path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failure = err
			t.strand(v)
			continue
		}
		gone = append(gone, v)
		folders[path.Dir(v.path)] = true
	}
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		if err := t.cfg.FS.SyncDir(t.at(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failure = err
		}
		t.measure(dir)
	}
	for _, v := range gone {
		t.bury(v, reason)
	}
	if failure != nil {
		return t.fail("evict blocks", 0, failure)
	}
	return nil
}

// bury settles the account of a deleted file.
func (t *Tier) bury(v victim, reason string) {
	t.mu.Lock()
	bytes := v.physical + t.ledger.loose[v.path].physical
	t.ledger.dropLoose(v.path)
	t.ledger.used -= v.physical
	t.mu.Unlock()
	t.release(v.path)
	if t.cfg.Listener.Evicted != nil {
		t.cfg.Listener.Evicted(reason, bytes)
	}
}

// strand keeps the account of a file that is no block any more and could not be deleted.
func (t *Tier) strand(v victim) {
	now := t.cfg.Clock()
	t.mu.Lock()
	if v.physical > 0 {
		t.ledger.used -= v.physical
		t.ledger.addLoose(v.path, loose{physical: v.physical, modTime: now, first: true})
	}
	t.mu.Unlock()
	t.release(v.path)
}

// drop takes a block out of the index and keeps its file in the account as a loose one, which the caller, who owns
// the path, is about to delete or move.
func (t *Tier) drop(s kv.Space, k kv.Key) {
	now := t.cfg.Clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.index.Get(s, k)
	if b == nil {
		return
	}
	t.index.Remove(s, k)
	t.ledger.used -= b.Value.physical
	t.ledger.addLoose(b.Value.path, loose{physical: b.Value.physical, modTime: now, first: true})
}

// forget settles the account of a loose file that is gone, and returns its bytes. A count under way begins anew.
func (t *Tier) forget(rel string) (bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	bytes = t.ledger.loose[rel].physical
	if !t.ledger.dropLoose(rel) && !isClosed(t.counted) {
		t.disturbed = true
	}
	return bytes
}
