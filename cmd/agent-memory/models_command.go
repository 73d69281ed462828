package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/agent-memory/agent-memory/platform/hub"
	"golang.org/x/term"
)

type modelsCommand struct {
	Pull modelsPull `cmd:"" help:"Fetch a model from the hub, or bring it up to date."`
	Info modelsInfo `cmd:"" help:"Tell what a model is, what memory it takes and whether it fits."`
	List modelsList `cmd:"" default:"withargs" help:"List the models in the hub's cache."`
	Rm   modelsRm   `cmd:"" help:"Remove a repository from the hub's cache."`

	Load    modelsLoad    `cmd:"" help:"Put another model in the place of a running server's."`
	Unload  modelsUnload  `cmd:"" help:"Give back the memory that a running server's model takes, until one is loaded."`
	Current modelsCurrent `cmd:"" help:"Tell which model a running server has loaded."`
}

type modelsPull struct {
	printed
	ID string `arg:"" help:"Repository on the hub: owner/name, owner/name@revision, or owner/name:Q4_K_M for one of its GGUFs."`
}

// pulledModel is what pull tells.
type pulledModel struct {
	ID   string `json:"id"`
	Path string `json:"path"`
}

// Run fetches the model, with a bar on a terminal.
func (c modelsPull) Run(ctx context.Context, to streams) error {
	m, err := parseModel(c.ID)
	if err != nil {
		return err
	}
	show := newPullProgress(to.err)
	h, err := hubWith(show.tell)
	if err != nil {
		return err
	}
	path, err := m.pull(ctx, h)
	show.end()
	if err != nil {
		return err
	}
	return c.print(to, pulledModel{c.ID, path}, func(t *tabwriter.Writer) { fmt.Fprintln(t, path) })
}

type modelsList struct{ printed }

// Run lists the models.
func (c modelsList) Run(to streams) error {
	h, err := hubWith(nil)
	if err != nil {
		return err
	}
	all, err := keptModels(h)
	if err != nil {
		return err
	}
	return c.print(to, all, func(t *tabwriter.Writer) {
		if len(all) == 0 {
			fmt.Fprintf(t, "there is no model in %s; fetch one with `%s models pull owner/name`\n", h.Cache, name)
			return
		}
		fmt.Fprintln(t, "MODEL\tSIZE\tARCHITECTURE\tQUANTISATION\tSTATE")
		for _, m := range all {
			state := "ready"
			if m.Problem != "" {
				state = m.Problem
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", m.ID, size(m.Bytes), m.Architecture, m.Quantisation, state)
		}
	})
}

type modelsRm struct {
	printed
	ID  string `arg:"" help:"Repository: owner/name. All of its revisions and files are removed."`
	Yes bool   `help:"Do not ask."`
}

// removedModel is what rm tells.
type removedModel struct {
	ID    string `json:"id"`
	Bytes int64  `json:"bytes_freed"`
}

// Run removes the repository, after a question.
func (c modelsRm) Run(to streams) error {
	ref, pick, err := hub.Parse(c.ID)
	if err != nil {
		return err
	}
	if pick != "" || ref.Revision != "main" {
		return fmt.Errorf("%s: a repository is removed as a whole, since its files share what they hold; name %s", c.ID, ref.Repository)
	}
	h, err := hubWith(nil)
	if err != nil {
		return err
	}
	bytes := h.Bytes(ref)
	if !c.Yes {
		if err := confirm(os.Stdin, to.err, fmt.Sprintf("Remove %s (%s) from %s?", ref.Repository, size(bytes), h.Cache)); err != nil {
			return err
		}
	}
	switch err := h.Remove(ref); {
	case errors.Is(err, hub.ErrInUse):
		return fmt.Errorf("%w: a server or a download on this machine; stop it first", err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is not in %s; `%s models list` shows what is", ref.Repository, h.Cache, name)
	case err != nil:
		return err
	}
	return c.print(to, removedModel{ref.Repository, bytes}, func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "removed %s, %s\n", ref.Repository, size(bytes))
	})
}

// confirm asks on a terminal, and refuses where there is none to ask.
func confirm(in *os.File, out io.Writer, question string) error {
	if !term.IsTerminal(int(in.Fd())) {
		return errors.New("there is no terminal to ask on; say --yes")
	}
	fmt.Fprintf(out, "%s [y/N] ", question)
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errors.New("nothing was removed")
	}
	return nil
}
