package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	agentsapi "github.com/agent-memory/agent-memory/modules/agents/api"
)

type tenantsCommand struct {
	Delete tenantsDelete `cmd:"" help:"Revoke a tenant's keys, and delete all its agents and every block of it, on all nodes."`
}

type tenantsDelete struct {
	remote
	Tenant string `arg:"" help:"Whose."`
	Yes    bool   `help:"Really: it can't be taken back."`
}

// Run deletes all of a tenant and waits until that is done.
func (c tenantsDelete) Run(ctx context.Context, cfg *config.Config, to streams) error {
	if !c.Yes {
		return fmt.Errorf("delete all of tenant %q: this can't be taken back; add --yes", c.Tenant)
	}
	var deletion agentsapi.TenantDeletion
	if err := c.call(ctx, cfg, http.MethodDelete, "/admin/agents/"+url.PathEscape(c.Tenant), nil, &deletion); err != nil {
		return err
	}
	op, err := c.await(ctx, cfg, operationInfo{ID: deletion.ID, Status: deletion.Status})
	if err != nil {
		return err
	}
	if op.Error != "" {
		return fmt.Errorf("tenant %q is deleted, but not all of its blocks are removed yet: %s; the servers try again until they are, see /admin/agents/operations/%s", c.Tenant, op.Error, op.ID)
	}
	deleted := struct {
		Keys int `json:"keys_revoked"`
		movedInfo
	}{deletion.Keys, op.movedInfo}
	return c.print(to, deleted, func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "keys revoked\t%d\nblocks removed\t%d\nbytes\t%d\n", deleted.Keys, deleted.Blocks, deleted.Bytes)
	})
}
