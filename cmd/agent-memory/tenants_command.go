package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
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
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.AdminDeleteTenantWithResponse(ctx, c.Tenant)
	if err != nil {
		return err
	}
	op, err := awaitOperation(ctx, api, answer.JSON202.OperationId)
	if err != nil {
		return err
	}
	if op.Error != nil {
		return fmt.Errorf("tenant %q is deleted, but not all of its blocks are removed yet: %s; the servers try again until they are, see /admin/agents/operations/%s", c.Tenant, *op.Error, op.OperationId)
	}
	deleted := struct {
		Keys   int64 `json:"keys_revoked"`
		Blocks int64 `json:"blocks"`
		Bytes  int64 `json:"bytes"`
	}{answer.JSON202.KeysRevoked, op.Blocks, op.Bytes}
	return c.print(to, deleted, func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "keys revoked\t%d\nblocks removed\t%d\nbytes\t%d\n", deleted.Keys, deleted.Blocks, deleted.Bytes)
	})
}
