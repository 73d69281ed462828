package vfs

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
)

// Crash cuts the power and switches it on again. Only what was made durable is there; open files and locks
// are gone.
func (m *Mem) Crash() { m.crash(nil) }

// CrashKeeping is Crash on a disk that wrote some changes by itself: each change of a folder that was not
// made durable happened or not, and each file's bytes that were not may be there, cut short, or partly zero.
func (m *Mem) CrashKeeping(random *rand.Rand) { m.crash(random) }

func (m *Mem) crash(random *rand.Rand) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.boot++
	m.cut = -1
	m.locks = map[*memNode]bool{}
	applyPowerCut(m.root, random, map[*memNode]bool{})
}

// applyPowerCut turns a node and all below it into what the power cut left.
func applyPowerCut(n *memNode, random *rand.Rand, seen map[*memNode]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	state := memState{data: n.durable.data, time: n.durable.time, names: maps.Clone(n.durable.names)}
	if state.names == nil {
		state.names = map[string]*memNode{}
	}
	if random != nil {
		state.names = mixNames(n, random)
		state.data = mixData(n, random)
	}
	n.now = state
	n.durable = memState{data: slices.Clone(state.data), time: state.time, names: maps.Clone(state.names)}
	for _, name := range slices.Sorted(maps.Keys(state.names)) {
		applyPowerCut(state.names[name], random, seen)
	}
}

// mixNames decides for each name of a folder whether its last change reached the disk.
func mixNames(n *memNode, random *rand.Rand) map[string]*memNode {
	all := maps.Clone(n.now.names)
	maps.Copy(all, n.durable.names)
	names := map[string]*memNode{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		child := n.durable.names[name]
		if random.IntN(2) == 0 {
			child = n.now.names[name]
		}
		if child != nil {
			names[name] = child
		}
	}
	return names
}

// mixData decides what of a file's bytes reached the disk.
func mixData(n *memNode, random *rand.Rand) []byte {
	if bytes.Equal(n.now.data, n.durable.data) {
		return n.durable.data
	}
	data := slices.Clone(n.now.data)
	cut := random.IntN(len(data) + 1)
	switch random.IntN(4) {
	case 0:
		return n.durable.data
	case 1:
		return data[:cut]
	case 2:
		clear(data[cut:])
	}
	return data
}
