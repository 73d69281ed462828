package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/blockfile"
)

func TestInspectTellsWhatABlockIsAndWhetherItIsWhole(t *testing.T) {
	tenant := kv.NewTenant([]byte("cluster"), "default")
	tokens := []kv.Token{1, 2, 3}
	f := kv.NewFingerprint([32]byte{1}, kv.AtRest(16))
	h := blockfile.Header{Bits: 16, Class: "cpu/plain/bf16", Layers: []blockfile.Layer{{Kind: blockfile.WindowLayer, KVHeads: 3, HeadDim: 64, Window: 48}}}
	h.Space = kv.Space{Fingerprint: f, Salt: tenant.ID}
	h.Tokens = len(tokens)
	h.Key, h.Tags = tenant.Key(f, kv.Root, tokens), tenant.Tags(f, kv.Root, tokens)
	file, err := blockfile.Seal(tenant, h, [][]byte{bytes.Repeat([]byte{7}, 100)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "block")
	show := func(args ...string) (string, error) {
		t.Helper()
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err := run(t.Context(), append([]string{"block", "inspect", path}, args...), &out, &out)
		return out.String(), err
	}
	text, err := show()
	if err != nil || !strings.Contains(text, h.Key.String()) || !strings.Contains(text, "window, 3 KV heads of 64, window 48, 100 bytes, whole: true") {
		t.Errorf("%v\n%s", err, text)
	}
	asJSON, err := show("--json")
	var got inspection
	if err != nil || json.Unmarshal([]byte(asJSON), &got) != nil || got.Tokens != 3 || got.Key != h.Key.String() {
		t.Errorf("%v\n%s", err, asJSON)
	}
	file[len(file)-1] ^= 1
	if text, err = show(); !errors.Is(err, kv.ErrDamaged) || !strings.Contains(text, "whole: false") {
		t.Errorf("with a damaged payload: %v\n%s", err, text)
	}
	file[100] ^= 1
	if _, err = show(); !errors.Is(err, kv.ErrDamaged) {
		t.Errorf("with a damaged header: %v", err)
	}
}
