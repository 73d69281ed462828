package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
)

// remote are the flags of commands that ask a running server.
type remote struct {
	printed
	URL string `name:"url" help:"Address of the server. Default: the one that the settings name, on this machine."`
}

// printed is the flag of commands that print something to read.
type printed struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// address is where the server is.
func (r remote) address(cfg *config.Config) string {
	if r.URL != "" {
		return r.URL
	}
	host := cfg.Server.Host
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(cfg.Server.Port))
}

// call sends a request to the server's admin API and decodes the answer.
func (r remote) call(ctx context.Context, cfg *config.Config, method, path string, body, answer any) error {
	action := method + " " + r.address(cfg) + path
	payload, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.address(cfg)+path, bytes.NewReader(payload))
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	req.Header.Set("Content-Type", "application/json")
	if cfg.AdminKey != "" {
		req.Header.Set("X-Api-Key", cfg.AdminKey)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w; start the server with `agent-memory serve`, or name it with --url", action, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s: read the answer: %w", action, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s: %s: %s", action, response.Status, detailOf(raw))
	}
	return json.Unmarshal(raw, answer)
}

// detailOf is what a problem says.
func detailOf(raw []byte) string {
	var problem struct{ Detail string }
	if json.Unmarshal(raw, &problem) == nil && problem.Detail != "" {
		return problem.Detail
	}
	return string(raw)
}

// print writes an answer as JSON, or as the table that fill writes.
func (r printed) print(to streams, answer any, fill func(*tabwriter.Writer)) error {
	if r.JSON {
		encoder := json.NewEncoder(to.out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(answer)
	}
	table := tabwriter.NewWriter(to.out, 0, 8, 2, ' ', 0)
	fill(table)
	return table.Flush()
}

// agentPath is where an agent is in the admin API.
func agentPath(tenant, id string) string {
	return "/admin/agents/" + url.PathEscape(tenant) + "/" + url.PathEscape(id)
}

// size is a number of bytes for people.
func size(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20)) }

// age is the time since then for people.
func age(then time.Time) string { return time.Since(then).Round(time.Second).String() }
