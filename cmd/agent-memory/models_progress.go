package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/agent-memory/agent-memory/platform/hub"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// pullProgress shows how far a pull is: a bar with its rate on a terminal, a line for each file elsewhere.
type pullProgress struct {
	out  io.Writer
	bar  *progressbar.ProgressBar // nil elsewhere, and until the size is known
	file string
}

func newPullProgress(out io.Writer) *pullProgress { return &pullProgress{out: out} }

// isTerminal tells whether somebody looks at what is written.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// tell is called with each step of the pull.
func (p *pullProgress) tell(at hub.Progress) {
	phase := phaseOf(at)
	if !isTerminal(p.out) {
		if phase != p.file {
			fmt.Fprintf(p.out, "%s, %s of %s so far\n", phase, size(at.Done), size(at.Total))
		}
		p.file = phase
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(at.Total, progressbar.OptionSetWriter(p.out), progressbar.OptionShowBytes(true),
			progressbar.OptionShowTotalBytes(true), progressbar.OptionFullWidth(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	p.bar.Describe(phase)
	_ = p.bar.Set64(at.Done) // a bar that can't be drawn is missed by nobody
}

// end leaves the line of the bar.
func (p *pullProgress) end() {
	if p.bar != nil {
		_ = p.bar.Exit() // as above
		fmt.Fprintln(p.out)
	}
}
