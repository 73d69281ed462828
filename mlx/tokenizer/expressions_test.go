//go:build oracle

package tokenizer

// Random regular expressions as the Rust library reads them; oracle/expressions.py writes them.

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type cutExpected struct {
	Source  string   `json:"source"`
	Text    string   `json:"text"`
	Matches []string `json:"matches"`
}

func TestExpressionsCutAsThoseOfTheRustLibrary(t *testing.T) {
	file, err := os.Open(filepath.Join(oracleFolder(t), "expected", "expressions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	compared, wrong, refused := 0, 0, 0
	for lines := json.NewDecoder(file); lines.More(); {
		var c cutExpected
		if err := lines.Decode(&c); err != nil {
			t.Fatal(err)
		}
		x, err := compile(c.Source)
		if err != nil {
			refused++
			continue
		}
		compared++
		for name, each := range map[string]*regex{"table": x, "matcher": slowly(x)} {
			if got, want := cuts(each, c.Text), strings.Join(c.Matches, "¦"); got != want {
				if wrong++; wrong <= 20 {
					t.Errorf("%s cuts %q as %q by the %s, the library as %q", c.Source, c.Text, got, name, want)
				}
			}
		}
	}
	t.Logf("%d expressions, %d differences, %d refused", compared, wrong, refused)
	if compared < 10*refused {
		t.Errorf("%d expressions were refused, %d compared", refused, compared)
	}
}
