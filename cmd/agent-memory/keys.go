package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/openapi/client"
)

type keysCommand struct {
	Create keysCreate `cmd:"" help:"Make an API key, which is printed this once."`
	List   keysList   `cmd:"" help:"List API keys."`
	Revoke keysRevoke `cmd:"" help:"Revoke an API key, and cut the requests that use it."`
}

type keysCreate struct {
	remote
	Name    string        `help:"For people: whose key it is, and what for."`
	Tenant  string        `default:"default" help:"Whose memory it reaches."`
	Scopes  []string      `name:"scope" enum:"messages,agents,admin" default:"messages,agents" help:"What it may be used for: messages, agents, admin; separated by commas."`
	Expires time.Duration `name:"expires-in" help:"How long it holds, e.g. 720h; for ever without it."`
}

// Run makes a key and prints it.
func (c keysCreate) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.AdminCreateApiKeyWithResponse(ctx, c.wanted())
	if err != nil {
		return err
	}
	made := answer.JSON201
	return c.print(to, made, func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "key\t%s\nid\t%s\ntenant\t%s\nscopes\t%s\nexpires\t%s\n", made.Key, made.Id, made.Tenant, joined(made.Scopes), endOf(made.ExpiresAt))
		fmt.Fprintln(t, "\nThe key is not told again: write it down now.")
	})
}

func (c keysCreate) wanted() client.WantedAPIKey {
	var scopes []client.WantedAPIKeyScopes
	for _, scope := range c.Scopes {
		scopes = append(scopes, client.WantedAPIKeyScopes(scope))
	}
	wanted := client.WantedAPIKey{Name: unlessEmpty(c.Name), Tenant: &c.Tenant, Scopes: &scopes}
	if c.Expires != 0 {
		end := time.Now().Add(c.Expires).UTC()
		wanted.ExpiresAt = &end
	}
	return wanted
}

// joined are scopes in a line.
func joined[S ~string](scopes []S) string {
	var all []string
	for _, scope := range scopes {
		all = append(all, string(scope))
	}
	return strings.Join(all, ",")
}

// endOf is when a key ends, or ended, for people.
func endOf(expires *time.Time) string {
	if expires == nil {
		return "never"
	}
	return expires.Format(time.RFC3339)
}

type keysList struct {
	remote
	Tenant string `help:"Only this tenant's."`
	Limit  int    `default:"0" help:"At most so many; 0 for all."`
}

// Run prints the keys, page by page.
func (c keysList) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	all, most := []client.APIKey{}, int64(mostListed)
	for query := (client.AdminListApiKeysParams{Tenant: unlessEmpty(c.Tenant), Limit: &most}); ; {
		page, err := api.AdminListApiKeysWithResponse(ctx, &query)
		if err != nil {
			return err
		}
		all = append(all, page.JSON200.ApiKeys...)
		if query.Cursor = page.JSON200.NextCursor; query.Cursor == nil || c.Limit > 0 && len(all) >= c.Limit {
			break
		}
	}
	if c.Limit > 0 {
		all = all[:min(c.Limit, len(all))]
	}
	return c.print(to, all, func(t *tabwriter.Writer) {
		fmt.Fprintln(t, "ID\tKEY\tTENANT\tSCOPES\tSTATUS\tEXPIRES\tLAST USED\tNAME")
		for _, k := range all {
			shown, used := given(k.Prefix)+"…", "-"
			if k.Bootstrap != nil {
				shown = *k.Bootstrap
			}
			if k.LastUsedAt != nil {
				used = age(*k.LastUsedAt) + " ago"
			}
			fmt.Fprintf(t, "%s\t%s\t%q\t%s\t%s\t%s\t%s\t%q\n", k.Id, shown, k.Tenant, joined(k.Scopes), k.Status, endOf(k.ExpiresAt), used, given(k.Name))
		}
	})
}

type keysRevoke struct {
	remote
	ID string `arg:"" help:"The key's id, which list tells: not the key itself."`
}

// Run revokes the key.
func (c keysRevoke) Run(ctx context.Context, cfg *config.Config, to streams) error {
	api, err := c.api(cfg)
	if err != nil {
		return err
	}
	answer, err := api.AdminRevokeApiKeyWithResponse(ctx, c.ID)
	if err != nil {
		return err
	}
	revoked := answer.JSON200
	return c.print(to, revoked, func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "%s of tenant %q is revoked\n", revoked.Id, revoked.Tenant)
	})
}
