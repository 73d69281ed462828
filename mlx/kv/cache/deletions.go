package cache

// deletions are the blocks that are being deleted everywhere, each with how many do so. What was on its way
// before, up or down, and what sets out meanwhile, is removed where it arrives: it may come from a tier whose
// turn is yet to come. The cache's lock guards them.
type deletions map[place]int

func (d deletions) begin(at place) { d[at]++ }

func (d deletions) end(at place) {
	if d[at]--; d[at] <= 0 {
		delete(d, at)
	}
}

func (d deletions) has(at place) bool { return d[at] > 0 }
