package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/modules/keys"
	keysapi "github.com/agent-memory/agent-memory/modules/keys/api"
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
	wanted := map[string]any{"name": c.Name, "tenant": c.Tenant, "scopes": c.Scopes}
	if c.Expires != 0 {
		wanted["expires_at"] = time.Now().Add(c.Expires).UTC()
	}
	var made keysapi.NewAPIKey
	if err := c.call(ctx, cfg, http.MethodPost, "/admin/api-keys", wanted, &made); err != nil {
		return err
	}
	return c.print(to, made, func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "key\t%s\nid\t%s\ntenant\t%s\nscopes\t%s\nexpires\t%s\n", made.Secret, made.ID, made.Tenant, scopesOf(made.APIKey), endOf(made.APIKey))
		fmt.Fprintln(t, "\nThe key is not told again: write it down now.")
	})
}

func scopesOf(k keysapi.APIKey) string {
	return strings.ReplaceAll(keys.JoinScopes(k.Scopes), " ", ",")
}

// endOf is when a key ends, or ended, for people.
func endOf(k keysapi.APIKey) string {
	if k.Expires == nil {
		return "never"
	}
	return k.Expires.Format(time.RFC3339)
}

type keysList struct {
	remote
	Tenant string `help:"Only this tenant's."`
	Limit  int    `default:"0" help:"At most so many; 0 for all."`
}

// Run prints the keys, page by page.
func (c keysList) Run(ctx context.Context, cfg *config.Config, to streams) error {
	all, query := []keysapi.APIKey{}, url.Values{"tenant": {c.Tenant}, "limit": {"1000"}}
	for more := true; more; {
		var page keysapi.APIKeyPage
		if err := c.call(ctx, cfg, http.MethodGet, "/admin/api-keys?"+query.Encode(), nil, &page); err != nil {
			return err
		}
		all = append(all, page.Keys...)
		query.Set("cursor", page.Next)
		more = page.Next != "" && (c.Limit <= 0 || len(all) < c.Limit)
	}
	if c.Limit > 0 {
		all = all[:min(c.Limit, len(all))]
	}
	return c.print(to, all, func(t *tabwriter.Writer) {
		fmt.Fprintln(t, "ID\tKEY\tTENANT\tSCOPES\tSTATUS\tEXPIRES\tLAST USED\tNAME")
		for _, k := range all {
			shown, used := k.Prefix+"…", "-"
			if k.Bootstrap != "" {
				shown = k.Bootstrap
			}
			if k.Used != nil {
				used = age(*k.Used) + " ago"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, shown, strconv.Quote(k.Tenant), scopesOf(k), k.Status, endOf(k), used, strconv.Quote(k.Name))
		}
	})
}

type keysRevoke struct {
	remote
	ID string `arg:"" help:"The key's id, which list tells: not the key itself."`
}

// Run revokes the key.
func (c keysRevoke) Run(ctx context.Context, cfg *config.Config, to streams) error {
	var revoked keysapi.APIKey
	if err := c.call(ctx, cfg, http.MethodDelete, "/admin/api-keys/"+url.PathEscape(c.ID), nil, &revoked); err != nil {
		return err
	}
	return c.print(to, revoked, func(t *tabwriter.Writer) {
		fmt.Fprintf(t, "%s of tenant %q is revoked\n", revoked.ID, revoked.Tenant)
	})
}
