package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/openapi/client"
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

// api is the server's API, as the OpenAPI document describes it.
func (r remote) api(cfg *config.Config) (*client.ClientWithResponses, error) {
	api, err := client.NewClientWithResponses(r.address(cfg), client.WithHTTPClient(teller{}), client.WithRequestEditorFn(
		func(_ context.Context, request *http.Request) error {
			if cfg.AdminKey != "" {
				request.Header.Set("X-Api-Key", cfg.AdminKey)
			}
			return nil
		}))
	if err != nil {
		return nil, fmt.Errorf("talk to %s: %w", r.address(cfg), err)
	}
	return api, nil
}

// teller makes requests, and makes an error that tells what was asked and why it failed of every answer that is none.
type teller struct{}

// Do implements client.HttpRequestDoer.
func (teller) Do(request *http.Request) (*http.Response, error) {
	action := request.Method + " " + request.URL.String()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; start the server with `agent-memory serve`, or name it with --url", action, err)
	}
	isJSON := strings.Contains(response.Header.Get("Content-Type"), "json")
	isCSV := strings.HasPrefix(response.Header.Get("Content-Type"), "text/csv")
	if response.StatusCode < http.StatusBadRequest && (isJSON || isCSV) {
		return response, nil
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: read the answer: %w", action, err)
	case response.StatusCode < http.StatusBadRequest:
		return nil, fmt.Errorf("%s: the answer is no JSON; does --url name an agent-memory server?", action)
	}
	return nil, fmt.Errorf("%s: %s: %s", action, response.Status, detailOf(raw))
}

// detailOf is what a problem says.
func detailOf(raw []byte) string {
	var problem client.ErrorModel
	if json.Unmarshal(raw, &problem) == nil && problem.Detail != nil {
		return *problem.Detail
	}
	return string(raw)
}

// given is what an optional field of an answer says, or nothing.
func given[T any](field *T) (value T) {
	if field != nil {
		value = *field
	}
	return value
}

// unlessEmpty is an optional field of a request.
func unlessEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
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

// size is a number of bytes for people.
func size(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20)) }

// age is the time since then for people.
func age(then time.Time) string { return time.Since(then).Round(time.Second).String() }
