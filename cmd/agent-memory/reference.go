package main

import (
	"fmt"
	"os"
	"strings"
)

// The settings' reference stands between these in a document.
const (
	referenceBegin = "<!-- settings: begin; written by agent-memory config --reference -->\n"
	referenceEnd   = "<!-- settings: end -->\n"
)

// writeReference writes the settings' reference into a document.
func writeReference(file, reference string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("write the reference of settings: %w", err)
	}
	with, err := withReference(string(text), reference)
	if err != nil {
		return fmt.Errorf("write the reference of settings into %s: %w", file, err)
	}
	return os.WriteFile(file, []byte(with), 0o644)
}

// withReference is a document with the reference between its markers.
func withReference(text, reference string) (string, error) {
	before, rest, isBegun := strings.Cut(text, referenceBegin)
	_, after, isEnded := strings.Cut(rest, referenceEnd)
	if !isBegun || !isEnded {
		return "", fmt.Errorf("it lacks the markers; put these two lines where it should stand:\n%s%s", referenceBegin, referenceEnd)
	}
	return before + referenceBegin + reference + referenceEnd + after, nil
}
