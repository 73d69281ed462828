package kv

// Seal names a full block or a tail that its caller has finished writing. From then on it must not be written, and
// Share finds it by its key. If an equal block is there already, that one is returned with one more reference, and
// the caller's is given back. Idle tails that the block extends are freed: they say nothing that it does not.
func (p *Pool) Seal(b *Block, e Entry) *Block {
	same, superseded := p.enter(b, e)
	for _, tail := range superseded {
		p.free(tail)
	}
	if same != b {
		p.Give(b)
	}
	return same
}

func (p *Pool) enter(b *Block, e Entry) (same *Block, superseded []*Block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mustUse(b)
	if b.sealed != nil {
		panic("kv: block is sealed already")
	}
	if there := p.sealed.Get(e.Space, e.Key); there != nil {
		return p.use(there.Value), nil
	}
	for _, other := range p.sealed.Children(e.Space, e.Parent) {
		if other.Value.refs == 0 && len(other.Tags) < len(e.Tags) && Common(other.Tags, e.Tags) == len(other.Tags) {
			superseded = append(superseded, other.Value)
		}
	}
	for _, tail := range superseded {
		p.forget(tail)
	}
	b.sealed, _ = p.sealed.Add(e, b)
	return b, superseded
}

// Find returns the sealed block of a key with one more reference, or nil.
func (p *Pool) Find(s Space, k Key) *Block {
	p.mu.Lock()
	defer p.mu.Unlock()
	there := p.sealed.Get(s, k)
	if there == nil {
		return nil
	}
	return p.use(there.Value)
}

// use adds a reference to a sealed block. The caller holds mu.
func (p *Pool) use(b *Block) *Block {
	b.refs++
	b.fetched = false
	p.shelve(b)
	return b
}

// Nearest returns the sealed block behind parent that begins with the most of the given tags, with one more
// reference, and how many those are. Without any it returns nil.
func (p *Pool) Nearest(s Space, parent Key, tags []Tag) (nearest *Block, tokens int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, child := range p.sealed.Children(s, parent) {
		if n := Common(child.Tags, tags); n > tokens {
			nearest, tokens = child.Value, n
		}
	}
	if nearest != nil {
		p.use(nearest)
	}
	return nearest, tokens
}

// Children are the sealed blocks that continue a parent.
func (p *Pool) Children(s Space, parent Key) []Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	children := p.sealed.Children(s, parent)
	entries := make([]Entry, len(children))
	for i, child := range children {
		entries[i] = child.Entry
	}
	return entries
}

// forget makes an idle sealed block impossible to find. The caller holds mu and frees it.
func (p *Pool) forget(b *Block) {
	p.sealed.Remove(b.sealed.Space, b.sealed.Key)
	p.leave(b)
}

// Common is the number of equal tags at the beginning of both lists.
func Common(a, b []Tag) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
