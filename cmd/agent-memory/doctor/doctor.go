// Package doctor looks whether a server can run here as it is set up: at each thing that it needs, in the way that it
// will use it, and tells what to do about what it finds.
package doctor

import (
	"context"
	"fmt"
	"time"
)

// State is how bad a finding is.
type State string

// States, the worst last.
const (
	OK      State = "ok"
	Warning State = "warning" // it runs, and worse than it could
	Problem State = "problem" // it does not run, or keeps nothing
)

// Finding is what one check found.
type Finding struct {
	Check  string `json:"check"`
	State  State  `json:"state"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"` // what to do
}

// Check looks at one thing.
type Check struct {
	Name string
	Look func(ctx context.Context) Finding // whose Check is filled in
}

// checkTimeout is how long one check may take.
const checkTimeout = 10 * time.Second

// Examine makes the checks, one after the other.
func Examine(ctx context.Context, checks []Check) (findings []Finding) {
	for _, check := range checks {
		findings = append(findings, look(ctx, check))
	}
	return findings
}

func look(ctx context.Context, check Check) Finding {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	finding := check.Look(ctx)
	finding.Check = check.Name
	return finding
}

// Problems counts the findings by which a server does not run.
func Problems(findings []Finding) (n int) {
	for _, finding := range findings {
		if finding.State == Problem {
			n++
		}
	}
	return n
}

func ok(format string, args ...any) Finding {
	return Finding{State: OK, Found: fmt.Sprintf(format, args...)}
}

func warning(advice, format string, args ...any) Finding {
	return Finding{State: Warning, Found: fmt.Sprintf(format, args...), Advice: advice}
}

func problem(advice, format string, args ...any) Finding {
	return Finding{State: Problem, Found: fmt.Sprintf(format, args...), Advice: advice}
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.0f MB", float64(bytes)/(1<<20)) }
