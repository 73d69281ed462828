package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestTheOpenAPIDocumentIsCurrent(t *testing.T) {
	fresh := t.TempDir()
	if err := run(t.Context(), []string{"openapi", "--dir", fresh}, os.Stdout, os.Stderr); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"openapi.yaml", "openapi.json", "openapi-3.0.json"} {
		want, err := os.ReadFile(filepath.Join(fresh, file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", "..", "openapi", file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("openapi/%s is stale: run make openapi client", file)
		}
	}
}
