// Package lru is a map of bounded size that forgets what was not used for longest.
package lru

import "container/list"

// Map is such a map. It is not safe for use by several goroutines at once.
type Map[K comparable, V any] struct {
	most   int
	found  map[K]*list.Element
	recent *list.List // of *entry[K, V], the one used last in front
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

// New returns an empty map that holds as many entries at most.
func New[K comparable, V any](most int) *Map[K, V] {
	return &Map[K, V]{most: most, found: map[K]*list.Element{}, recent: list.New()}
}

// Len is the number of entries.
func (m *Map[K, V]) Len() int { return m.recent.Len() }

// Get returns a value, which counts as used.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	at, ok := m.found[key]
	if !ok {
		return value, false
	}
	m.recent.MoveToFront(at)
	return at.Value.(*entry[K, V]).value, true
}

// Put sets a value, which counts as used.
func (m *Map[K, V]) Put(key K, value V) {
	if at, ok := m.found[key]; ok {
		at.Value.(*entry[K, V]).value = value
		m.recent.MoveToFront(at)
		return
	}
	if m.recent.Len() >= m.most {
		m.drop(m.recent.Back())
	}
	m.found[key] = m.recent.PushFront(&entry[K, V]{key, value})
}

// Oldest returns the entry that was not used for longest, if there is one. It does not count as used by that.
func (m *Map[K, V]) Oldest() (key K, value V, ok bool) {
	at := m.recent.Back()
	if at == nil {
		return key, value, false
	}
	e := at.Value.(*entry[K, V])
	return e.key, e.value, true
}

// Remove forgets an entry.
func (m *Map[K, V]) Remove(key K) {
	if at, ok := m.found[key]; ok {
		m.drop(at)
	}
}

// Update passes every entry to change, which returns its new value and whether it stays. No entry counts as
// used by that.
func (m *Map[K, V]) Update(change func(K, V) (V, bool)) {
	for at := m.recent.Front(); at != nil; {
		e, next := at.Value.(*entry[K, V]), at.Next()
		value, stays := change(e.key, e.value)
		if e.value = value; !stays {
			m.drop(at)
		}
		at = next
	}
}

func (m *Map[K, V]) drop(at *list.Element) {
	delete(m.found, m.recent.Remove(at).(*entry[K, V]).key)
}
