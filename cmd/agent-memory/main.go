// Command agent-memory is the server and its tools in one binary.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/platform/settings"
	"github.com/alecthomas/kong"
	"github.com/willabides/kongplete"
)

// cli is the command line. Every setting is a flag and an environment variable.
type cli struct {
	config.Config `embed:""`

	Serve    serveCommand    `cmd:"" default:"1" help:"Run the server."`
	Settings settingsCommand `cmd:"" name:"config" help:"Print the effective settings, secrets masked."`
	Doctor   doctorCommand   `cmd:"" help:"Look whether a server can run here as it is set up, and what to do."`
	Migrate  migrateCommand  `cmd:"" help:"Bring the database's schema up to date and end."`
	Secret   secretCommand   `cmd:"" help:"Write down the cluster's secret, or give it to an empty database."`
	Agents   agentsCommand   `cmd:"" help:"Look at agents of a running server and move their memory."`
	Keys     keysCommand     `cmd:"" help:"Make, list and revoke the API keys of a running server."`
	Tenants  tenantsCommand  `cmd:"" help:"Delete all of a tenant of a running server."`
	Launch   launchCommand   `cmd:"" help:"Start Claude Code, Codex, opencode or aider so that it talks to a running server."`
	Pool     poolCommand     `cmd:"" help:"Look at the pool of a running server and use its levers."`
	Ledger   ledgerCommand   `cmd:"" help:"Show what each agent, tenant or model had a running server compute, read, keep and move."`
	Top      topCommand      `cmd:"" help:"Show live how a running server is: its rates, tiers, tenants and agents."`
	Models   modelsCommand   `cmd:"" help:"Fetch models from the hub, look at them and remove them."`
	Block    blockCommand    `cmd:"" help:"Look at block files."`
	OpenAPI  openapiCommand  `cmd:"" name:"openapi" help:"Write the OpenAPI document."`
	Version  versionCommand  `cmd:"" help:"Print the version."`

	Completion completionCommand `cmd:"" help:"Print what has a shell complete the commands."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1) //nolint:gocritic // nothing is left to clean up
	}
}

// run parses the arguments and runs the command.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var grammar cli
	parser, err := kong.New(&grammar, kong.Name(name), kong.Description(about), kong.Writers(stdout, stderr),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return fmt.Errorf("read the command line: %w", err)
	}
	kongplete.Complete(parser) // ends the process if a shell asks
	command, err := parser.Parse(args)
	if err != nil {
		return settings.Explain(err)
	}
	return command.Run(&grammar.Config, streams{stdout, stderr})
}

// streams are where commands write.
type streams struct{ out, err io.Writer }
