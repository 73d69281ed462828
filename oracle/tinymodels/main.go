// Command tinymodels writes the tiny seeded models of the golden tests into folders, for the oracle to read.
//
// usage: tinymodels FOLDER
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/agent-memory/agent-memory/mlx/weights/weightstest"
)

func main() {
	if err := write(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tinymodels:", err)
		os.Exit(1)
	}
}

func write(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("one folder is expected, not %d", len(args))
	}
	for name, tiny := range weightstest.Golden() {
		dir := filepath.Join(args[0], name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := weightstest.WriteTo(dir, tiny); err != nil {
			return err
		}
	}
	return nil
}
