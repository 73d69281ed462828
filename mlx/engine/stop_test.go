package engine

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestStopMatcherFindsStopsAcrossPieces(t *testing.T) {
	cases := []struct {
		name   string
		stops  []string
		pieces []string
		want   string
		stop   string
	}{
		{"in one piece", []string{"END"}, []string{"one END two"}, "one ", "END"},
		{"across pieces", []string{"END"}, []string{"one E", "N", "D two"}, "one ", "END"},
		{"a false start is let through", []string{"END"}, []string{"one E", "N", "E"}, "one ENE", ""},
		{"a start that overlaps itself", []string{"aab"}, []string{"a", "a", "a", "b"}, "a", "aab"},
		{"the one that ends first wins", []string{"abcd", "bc"}, []string{"abcd"}, "a", "bc"},
		{"of those that end together the longest", []string{"c", "bc"}, []string{"abc"}, "a", "bc"},
		{"nothing at all", nil, []string{"abc"}, "abc", ""},
		{"several bytes a character", []string{"é!"}, []string{"caf", "é", "!"}, "caf", "é!"},
		{"held back at the end", []string{"\n\n"}, []string{"line\n"}, "line\n", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got, stop := runMatcher(c.stops, c.pieces); got != c.want || stop != c.stop {
				t.Fatalf("got %q and stop %q, want %q and %q", got, stop, c.want, c.stop)
			}
		})
	}
}

// Where the text is cut makes no difference, and no stop string is ever let through.
func TestStopMatcherDoesNotDependOnThePieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 1, 4, -1)
		stops := rapid.SliceOfN(letters, 1, 3).Draw(t, "stops")
		pieces := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 5, -1), 0, 8).Draw(t, "pieces")
		whole := strings.Join(pieces, "")
		got, stop := runMatcher(stops, pieces)
		want, wantStop := runMatcher(stops, strings.Split(whole, ""))
		if got != want || stop != wantStop {
			t.Fatalf("in pieces %q, %q; letter by letter %q, %q", got, stop, want, wantStop)
		}
		for _, s := range stops {
			if strings.Contains(got, s) {
				t.Fatalf("let %q through in %q", s, got)
			}
		}
		if stop == "" && got != whole {
			t.Fatalf("%q became %q", whole, got)
		}
	})
}

func runMatcher(stops, pieces []string) (text, stop string) {
	m := stopMatcher{stops: stops}
	for _, piece := range pieces {
		emit, stop := m.push(piece)
		text += emit
		if stop != "" {
			return text, stop
		}
	}
	return text + m.flush(), ""
}
