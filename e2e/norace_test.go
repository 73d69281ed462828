//go:build !race

package e2e

// raceFlag builds the server with the race detector if the tests have it.
func raceFlag() []string { return nil }
