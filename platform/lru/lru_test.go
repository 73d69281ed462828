package lru_test

import (
	"maps"
	"testing"

	"github.com/agent-memory/agent-memory/platform/lru"
	"pgregory.net/rapid"
)

// A map holds what was used last, as a list of uses tells it.
func TestWhatWasNotUsedForLongestIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const most = 4
		m, values, uses := lru.New[int, int](most), map[int]int{}, []int{}
		use := func(key int) {
			for i, other := range uses {
				if other == key {
					uses = append(uses[:i], uses[i+1:]...)
					break
				}
			}
			uses = append(uses, key)
		}
		for step := range rapid.IntRange(1, 60).Draw(t, "steps") {
			key := rapid.IntRange(0, 7).Draw(t, "key")
			switch rapid.SampledFrom([]string{"get", "put", "update"}).Draw(t, "what") {
			case "get":
				got, ok := m.Get(key)
				if want, there := values[key]; ok != there || got != want {
					t.Fatalf("%d is %d, %v, want %d, %v", key, got, ok, want, there)
				} else if there {
					use(key)
				}
			case "put":
				if _, there := values[key]; !there && len(uses) == most {
					delete(values, uses[0])
					uses = uses[1:]
				}
				m.Put(key, step)
				values[key] = step
				use(key)
			case "update":
				m.Update(func(k, v int) (int, bool) { return v + 100, k != key })
				maps.DeleteFunc(values, func(k, _ int) bool { return k == key })
				for k := range values {
					values[k] += 100
				}
				left := uses[:0]
				for _, k := range uses {
					if k != key {
						left = append(left, k)
					}
				}
				uses = left
			}
			if m.Len() != len(values) {
				t.Fatalf("%d entries, want %d", m.Len(), len(values))
			}
		}
	})
}
