package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/openapi/client"
)

type modelsLoad struct {
	remote
	ID     string        `arg:"" help:"A repository, or a folder or .gguf file on the server's machine."`
	Hold   bool          `help:"Have requests that come meanwhile wait, rather than be told to come again."`
	Within time.Duration `default:"5m" help:"For how long to wait for the requests that are under way."`
}

// Run swaps the model.
func (c modelsLoad) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	within := int64(max(1, c.Within.Seconds()))
	answer, err := api.AdminLoadModelWithResponse(ctx, client.ModelLoad{Id: c.ID, Hold: &c.Hold, WithinSeconds: &within})
	if err != nil {
		return err
	}
	return c.print(to, answer.JSON200, func(t *tabwriter.Writer) { loadedTable(t, answer.JSON200) })
}

type modelsCurrent struct{ remote }

// Run tells which model is loaded.
func (c modelsCurrent) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.AdminListModelsWithResponse(ctx)
	if err != nil {
		return err
	}
	loaded := answer.JSON200.Loaded
	return c.print(to, loaded, func(t *tabwriter.Writer) {
		switch {
		case loaded != nil:
			loadedTable(t, loaded)
		case answer.JSON200.State == client.Unloaded:
			fmt.Fprintf(t, "no model is loaded: an operator unloaded it; `%s models load` loads one\n", name)
		default:
			fmt.Fprintln(t, "a model is being loaded")
		}
	})
}

func loadedTable(t *tabwriter.Writer, m *client.LoadedModel) {
	fmt.Fprintf(t, "id\t%s\nname\t%s\ncontext\t%d tokens\nKV\t%d bytes a token\n", m.Id, m.Name, m.ContextLength, m.KvBytesPerToken)
}
