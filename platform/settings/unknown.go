package settings

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Unknown is a variable that looks like a setting and is none.
type Unknown struct {
	Name    string
	Nearest string // the setting that may have been meant; empty if none is like it
}

// UnknownIn returns the variables of an environment, as os.Environ tells it, that begin with a prefix and are
// none of the flags', sorted.
func UnknownIn(environment []string, prefix string, flags []*kong.Flag) (unknown []Unknown) {
	var known []string
	for _, flag := range flags {
		known = append(known, flag.Envs...)
	}
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, prefix) && !slices.Contains(known, name) {
			unknown = append(unknown, Unknown{name, nearest(name, known)})
		}
	}
	slices.SortFunc(unknown, func(a, b Unknown) int { return strings.Compare(a.Name, b.Name) })
	return unknown
}

// nearest is the known name to which the fewest edits lead, unless they are more than a third of it.
func nearest(name string, known []string) (found string) {
	least := len(name)/3 + 1
	for _, candidate := range known {
		if edits := distance(name, candidate); edits < least {
			least, found = edits, candidate
		}
	}
	return found
}

// distance is Levenshtein's: how many letters are put in, taken out or exchanged.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
