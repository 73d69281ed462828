package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/openapi/client"
)

type launchCommand struct {
	remote
	Client string   `arg:"" enum:"claude,codex,opencode,aider" help:"The program: claude, codex, opencode or aider. It must be installed."`
	Key    string   `help:"The API key that it uses; the first of ANTHROPIC_API_KEY without one."`
	Print  bool     `help:"Print what it would be started with instead."`
	Args   []string `arg:"" optional:"" passthrough:"" help:"What the program is given besides."`
}

// launching is how a program is started so that it talks to a server.
type launching struct {
	Program   string            `json:"program"`
	Arguments []string          `json:"arguments"`
	Settings  map[string]string `json:"environment"`
}

// offer is what a program must know of a server.
type offer struct {
	url, key  string
	model     client.Model // under its own id
	forClaude string       // the id that Claude Code takes
}

// Run starts the program and waits until it ends.
func (c launchCommand) Run(ctx context.Context, cfg *config.Config, to streams) error {
	o, err := c.ask(ctx, cfg)
	if err != nil {
		return err
	}
	l := launchers()[c.Client](o)
	l.Arguments = append(l.Arguments, c.passed()...)
	if c.Print || c.JSON {
		return c.print(to, l, func(t *tabwriter.Writer) { fmt.Fprintln(t, l.shown()) })
	}
	binary, err := exec.LookPath(l.Program)
	if err != nil {
		return fmt.Errorf("start %s: it is not installed: %w; install it, or look at --print and start it elsewhere", l.Program, err)
	}
	command := exec.CommandContext(ctx, binary, l.Arguments...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, to.out, to.err
	command.Env = os.Environ()
	for _, name := range sortedNames(l.Settings) {
		command.Env = append(command.Env, name+"="+l.Settings[name])
	}
	var ended *exec.ExitError
	if err := command.Run(); errors.As(err, &ended) {
		return fmt.Errorf("%s ended with status %d", l.Program, ended.ExitCode())
	} else if err != nil {
		return fmt.Errorf("run %s: %w", l.Program, err)
	}
	return nil
}

// passed are the program's arguments, without the two hyphens that may stand before them.
func (c launchCommand) passed() []string {
	if len(c.Args) > 0 && c.Args[0] == "--" {
		return c.Args[1:]
	}
	return c.Args
}

// ask asks the server for its model.
func (c launchCommand) ask(ctx context.Context, cfg *config.Config) (o offer, err error) {
	o.url, o.key = c.address(cfg), c.Key
	if o.key == "" && len(cfg.APIKeys) > 0 {
		o.key = cfg.APIKeys[0]
	}
	if o.key == "" {
		o.key = "any" // programs want one, and a server without keys takes any
	}
	api, err := client.NewClientWithResponses(o.url, client.WithHTTPClient(teller{}), client.WithRequestEditorFn(
		func(_ context.Context, request *http.Request) error {
			request.Header.Set("X-Api-Key", o.key)
			return nil
		}))
	if err != nil {
		return o, fmt.Errorf("talk to %s: %w", o.url, err)
	}
	listed, err := api.ListModelsWithResponse(ctx)
	if err != nil {
		return o, err
	}
	for _, model := range listed.JSON200.Data {
		if strings.HasPrefix(model.Id, "claude-") && o.forClaude == "" {
			o.forClaude = model.Id
		}
	}
	o.model = listed.JSON200.Data[0]
	return o, nil
}

// launchers tell for each program how it is started.
func launchers() map[string]func(offer) launching {
	return map[string]func(offer) launching{"claude": launchClaude, "codex": launchCodex, "opencode": launchOpenCode, "aider": launchAider}
}

func launchClaude(o offer) launching {
	return launching{Program: "claude", Settings: map[string]string{
		"ANTHROPIC_BASE_URL": o.url, "ANTHROPIC_AUTH_TOKEN": o.key, "ANTHROPIC_MODEL": o.forClaude, "ANTHROPIC_SMALL_FAST_MODEL": o.forClaude,
		"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", // nothing of a conversation goes elsewhere
	}}
}

func launchCodex(o offer) launching {
	l := launching{Program: "codex", Settings: map[string]string{"AGENT_MEMORY_KEY": o.key}}
	for _, setting := range [][2]string{
		{"model", quoted(o.model.Id)}, {"model_provider", quoted("agent-memory")}, {"model_context_window", fmt.Sprint(o.model.ContextLength)},
		{"model_providers.agent-memory.name", quoted("agent-memory")}, {"model_providers.agent-memory.base_url", quoted(o.url + "/v1")},
		{"model_providers.agent-memory.wire_api", quoted("responses")}, {"model_providers.agent-memory.env_key", quoted("AGENT_MEMORY_KEY")},
	} {
		l.Arguments = append(l.Arguments, "-c", setting[0]+"="+setting[1])
	}
	return l
}

func launchOpenCode(o offer) launching {
	settings := map[string]any{
		"model": "agent-memory/" + o.model.Id,
		"provider": map[string]any{"agent-memory": map[string]any{
			"npm": "@ai-sdk/openai-compatible", "name": "agent-memory", "options": map[string]string{"baseURL": o.url + "/v1", "apiKey": o.key},
			"models": map[string]any{o.model.Id: map[string]any{"limit": map[string]int64{"context": o.model.ContextLength, "output": o.model.MaxOutputTokens}}},
		}},
	}
	encoded, _ := json.Marshal(settings) // texts and numbers always have a form
	return launching{Program: "opencode", Settings: map[string]string{"OPENCODE_CONFIG_CONTENT": string(encoded)}}
}

func launchAider(o offer) launching {
	return launching{Program: "aider", Arguments: []string{"--model", "openai/" + o.model.Id}, Settings: map[string]string{
		"OPENAI_API_BASE": o.url + "/v1", "OPENAI_API_KEY": o.key,
	}}
}

// shown is the start as a line for a shell.
func (l launching) shown() string {
	var words []string
	for _, name := range sortedNames(l.Settings) {
		words = append(words, name+"="+shellWord(l.Settings[name]))
	}
	words = append(words, l.Program)
	for _, argument := range l.Arguments {
		words = append(words, shellWord(argument))
	}
	return strings.Join(words, " ")
}

func sortedNames(settings map[string]string) []string {
	var names []string
	for name := range settings {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// quoted is a text in TOML.
func quoted(text string) string {
	encoded, _ := json.Marshal(text) // a JSON text is a TOML text
	return string(encoded)
}

// shellWord is a word that a shell takes as it is.
func shellWord(text string) string {
	plain := strings.IndexFunc(text, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@,", r)
	}) < 0
	if plain && text != "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
