package prompt

import "context"

// Origin tells of what in a caller's request a prompt is made.
type Origin interface {
	// Path is that of the part which holds a token, in the caller's JSON; empty for the template's own.
	Path(ctx context.Context, token int) string
	// Difference is the first part that is not what it was when the conversation was last asked about. isKnown is false if there
	// is none.
	Difference(ctx context.Context) (path, change, kind string, isKnown bool)
}
