package object

import (
	"cmp"
	"context"
	"slices"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/objectstore"
)

// pageOfNames is how many names one listing returns, which is what S3 gives at most.
const pageOfNames = 1000

// namedRef is a block with its object's name.
type namedRef struct {
	kv.Ref
	path string
}

// Missing implements kv.Comparer. Names are listed in their order and held against those of the blocks: it takes a request for a
// thousand objects, and no more requests than blocks, since a listing begins at the next block that is asked for.
func (t *Tier) Missing(ctx context.Context, refs []kv.Ref) (missing []kv.Ref, err error) {
	wanted := make([]namedRef, len(refs))
	for i, ref := range refs {
		wanted[i] = namedRef{ref, pathOf(ref)}
	}
	slices.SortFunc(wanted, func(a, b namedRef) int { return cmp.Compare(a.path, b.path) })
	for len(wanted) > 0 {
		page, err := t.cfg.listFrom(ctx, wanted[0])
		if err != nil {
			return nil, t.fault(wanted[0].Ref, err)
		}
		n := covered(wanted, page)
		missing = append(missing, absent(wanted[:n], page)...)
		wanted = wanted[n:]
	}
	return missing, nil
}

// listFrom lists the names of a space from a block's on.
func (c *Config) listFrom(ctx context.Context, first namedRef) ([]objectstore.Object, error) {
	before := first.path[:len(first.path)-1] // comes before the name, and only names that differ in the last digit between
	return c.list(ctx, spaceOf(first.Space), before)
}

// list returns a page of names below a prefix, behind a name.
func (c *Config) list(ctx context.Context, prefix, after string) ([]objectstore.Object, error) {
	ctx, cancel := context.WithTimeout(ctx, c.ReadDeadline)
	defer cancel()
	return c.Bucket.List(ctx, prefix, after, pageOfNames)
}

// covered is of how many blocks, from the first on, a page tells whether they are there: of those of its space up to its last
// name, and of all if it is the last page.
func covered(wanted []namedRef, page []objectstore.Object) int {
	n := 1
	for n < len(wanted) && wanted[n].Space == wanted[0].Space && (len(page) < pageOfNames || wanted[n].path <= page[len(page)-1].Key) {
		n++
	}
	return n
}

// absent are the blocks that a page does not name.
func absent(wanted []namedRef, page []objectstore.Object) (missing []kv.Ref) {
	for _, ref := range wanted {
		for len(page) > 0 && page[0].Key < ref.path {
			page = page[1:]
		}
		if len(page) == 0 || page[0].Key != ref.path {
			missing = append(missing, ref.Ref)
		}
	}
	return missing
}
