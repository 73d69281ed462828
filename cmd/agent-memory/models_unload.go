package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/openapi/client"
)

type modelsUnload struct {
	remote
	ID     string        `arg:"" optional:"" help:"Unload nothing but this model. Default: whichever is loaded."`
	Within time.Duration `default:"5m" help:"For how long to wait for the requests that are under way."`
}

// Run unloads the model.
func (c modelsUnload) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	within := int64(max(1, c.Within.Seconds()))
	answer, err := api.AdminUnloadModelWithResponse(ctx, client.ModelUnload{Id: &c.ID, WithinSeconds: &within})
	if err != nil {
		return err
	}
	return c.print(to, answer.JSON200, func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "unloaded %s; `%s models load %s` brings it back\n", answer.JSON200.Name, name, answer.JSON200.Id)
	})
}
