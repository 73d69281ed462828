package main

import (
	"fmt"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// Names are asked about by anybody: the same one gives the same secrets, and none is kept.
func TestNoNameThatIsAskedAboutIsKept(t *testing.T) {
	known := newTenants([]byte("secret"))
	known.settle([]byte("secret"))
	for i := range 1000 {
		name := fmt.Sprint("tenant", i)
		if a, b := known.of(name), kv.NewTenant([]byte("secret"), name); *a != *b || !known.keeps(a.ID) {
			t.Errorf("%s has other secrets", name)
		}
	}
	if n := len(known.passing); n != 0 {
		t.Errorf("%d names are kept", n)
	}
}

// What derives from a secret that was not stored is never kept, whatever is stored later, however often.
func TestOnlyAStoredSecretKeepsBlocks(t *testing.T) {
	known := newTenants([]byte("drawn"))
	drawn := known.of("a").ID
	if known.keeps(drawn) || known.isStored() {
		t.Error("kept before any secret is stored")
	}
	for range 2 {
		known.settle([]byte("stored"))
		if known.keeps(drawn) || !known.keeps(known.of("a").ID) {
			t.Error("the wrong secret's blocks are kept")
		}
	}
	fresh := newTenants([]byte("drawn"))
	salt := fresh.of("a").ID
	if fresh.settle([]byte("drawn")); !fresh.keeps(salt) {
		t.Error("the secret that was drawn is the stored one, and its blocks are not kept")
	}
}
