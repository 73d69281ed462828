package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Between refuses a number out of its bounds.
func Between(name string, value, low, high int64) error {
	if value < low || value > high {
		return fmt.Errorf("%s: %d is not between %d and %d", name, value, low, high)
	}
	return nil
}

// OneOf checks a choice regardless of its case and gives it the case of the list.
func OneOf(name string, value *string, choices ...string) error {
	at := slices.IndexFunc(choices, func(choice string) bool { return strings.EqualFold(choice, *value) })
	if at < 0 {
		return fmt.Errorf("%s: %q is none of %s", name, *value, strings.Join(choices, ", "))
	}
	*value = choices[at]
	return nil
}

// Given refuses a value that is blank.
func Given(name, value string) error {
	if strings.TrimSpace(value) == "" {
		return fmt.Errorf("%s: is empty", name)
	}
	return nil
}

// ExpandHome replaces a leading ~ by the home folder.
func ExpandHome(name string, path *string) error {
	rest, found := strings.CutPrefix(*path, "~")
	if !found || rest != "" && rest[0] != '/' {
		return Given(name, *path)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return fmt.Errorf("%s: expand %q: %w; give a full path", name, *path, err)
	}
	*path = filepath.Join(home, rest)
	return nil
}

// WithoutBlanks is a list without its blank items, the others trimmed.
func WithoutBlanks(list []string) []string {
	items := []string{}
	for _, item := range list {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
