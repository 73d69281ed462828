//go:build cgo

package array

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// TestRestGivesTheGoldenRows holds 8 and 4 bits at rest to oracle/rest.py, which knows the format's page
// only.
func TestRestGivesTheGoldenRows(t *testing.T) {
	data, err := os.ReadFile("testdata/rest.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Dim, Bits    int
		Packed, Rows string
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) != 8 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, c := range cases {
		packed, err := hex.DecodeString(c.Packed)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(c.Rows)
		if err != nil {
			t.Fatal(err)
		}
		heads := Heads{Heads: 3, KVHeads: 3, Dim: c.Dim}
		got, err := heads.Unpack(packed, c.Bits, len(want))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("head dimension %d in %d bits differs, %v", c.Dim, c.Bits, err)
		}
		if again, err := heads.Unpack(heads.Pack(got, c.Bits), c.Bits, len(got)); err != nil || len(again) != len(got) {
			t.Errorf("head dimension %d in %d bits does not come back, %v", c.Dim, c.Bits, err)
		}
		if _, err := heads.Unpack(packed[1:], c.Bits, len(want)); err == nil {
			t.Errorf("head dimension %d in %d bits: a byte less was taken", c.Dim, c.Bits)
		}
	}
}
