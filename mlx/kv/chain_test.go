package kv_test

import (
	"testing"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

func TestAChainSurvivesItsBinaryForm(t *testing.T) {
	tenant := kv.NewTenant([]byte("secret"), "default")
	space := kv.Space{Fingerprint: kv.Fingerprint{1, 2}, Salt: tenant.ID}
	keys := tenant.Keys(space.Fingerprint, make([]kv.Token, 3*kv.BlockTokens))
	for _, chain := range []kv.Chain{
		{Space: space},
		{Space: space, Keys: keys, Tokens: 3 * kv.BlockTokens},
		{Space: space, Keys: keys[:2], Tail: kv.Key{9}, Tokens: 2*kv.BlockTokens + 1},
		{Space: space, Tail: kv.Key{9}, Tokens: kv.BlockTokens - 1},
	} {
		data, err := chain.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var read kv.Chain
		if err := read.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
		if read.Head() != chain.Head() || read.Tokens != chain.Tokens || len(read.Refs()) != len(chain.Refs()) {
			t.Errorf("read %+v, wrote %+v", read, chain)
		}
		for cut := range data {
			if len(chain.Keys) > 0 && (len(data)-cut)%len(kv.Root) == 0 {
				continue // a shorter list of keys, which the number of tokens tells, below
			}
			if read.UnmarshalBinary(data[:cut]) == nil {
				t.Fatalf("%d of %d bytes were read", cut, len(data))
			}
		}
		if len(chain.Keys) > 0 && read.UnmarshalBinary(data[:len(data)-len(kv.Root)]) == nil {
			t.Error("a chain that lost its last key was read")
		}
	}
	if _, err := (kv.Chain{Space: space, Keys: keys, Tokens: 7}).MarshalBinary(); err == nil {
		t.Error("a chain of 3 blocks and 7 tokens was written")
	}
}

func TestAChainsRefsNameWhereTheBlocksLie(t *testing.T) {
	chain := kv.Chain{Keys: []kv.Key{{1}, {2}}, Tail: kv.Key{3}, Tokens: 2*kv.BlockTokens + 5}
	refs := chain.Refs()
	if len(refs) != 3 || refs[1].Parent != chain.Keys[0] || !refs[1].Full() || refs[2].Full() || refs[2].Tokens != 5 {
		t.Errorf("refs %+v", refs)
	}
	if refs[0].Parent != kv.Root || refs[2].Parent != chain.Keys[1] {
		t.Errorf("parents %s, %s", refs[0].Parent, refs[2].Parent)
	}
}
