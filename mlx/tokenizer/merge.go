package tokenizer

// The merging of one word: symbols as a linked list, candidate merges in a binary heap.

type symbol struct {
	id         int32
	prev, next int32 // -1 at the ends
	merged     bool  // into its left neighbour
}

type candidate struct {
	rank, at, id int32
}

func (c candidate) before(o candidate) bool {
	return c.rank < o.rank || c.rank == o.rank && c.at < o.at
}

type chain struct {
	symbols []symbol
	heap    []candidate
}

func (w *chain) add(id int32) {
	n := int32(len(w.symbols))
	if n > 0 {
		w.symbols[n-1].next = n
	}
	w.symbols = append(w.symbols, symbol{id: id, prev: n - 1, next: -1})
}

func (w *chain) mergeAll(merges map[pair]merge) {
	for i := range len(w.symbols) - 1 {
		w.propose(merges, int32(i))
	}
	for len(w.heap) > 0 {
		c := w.pop()
		left := &w.symbols[c.at]
		if left.merged || left.next < 0 {
			continue
		}
		right := &w.symbols[left.next]
		if rule, ok := merges[pair{left.id, right.id}]; !ok || rule.id != c.id {
			continue // an older candidate: the symbols have changed since
		}
		w.join(left, right, c)
		w.propose(merges, left.prev)
		w.propose(merges, c.at)
	}
}

func (w *chain) join(left, right *symbol, c candidate) {
	left.id, left.next = c.id, right.next
	right.merged = true
	if right.next >= 0 {
		w.symbols[right.next].prev = c.at
	}
}

// propose puts the merge of symbol at and its right neighbour into the heap, if there is one.
func (w *chain) propose(merges map[pair]merge, at int32) {
	if at < 0 || w.symbols[at].next < 0 {
		return
	}
	s := w.symbols[at]
	if rule, ok := merges[pair{s.id, w.symbols[s.next].id}]; ok {
		w.push(candidate{rule.rank, at, rule.id})
	}
}

func (w *chain) push(c candidate) {
	w.heap = append(w.heap, c)
	h := w.heap
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(h[up]) {
			return
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (w *chain) pop() candidate {
	h := w.heap
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	w.heap = h
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if h[child].before(h[least]) {
				least = child
			}
		}
		if least == i {
			return top
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
