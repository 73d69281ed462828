package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/modules/messages"
	"github.com/agent-memory/agent-memory/platform/httpapi"
	"github.com/agent-memory/agent-memory/platform/log"
	"github.com/agent-memory/agent-memory/platform/settings"
	"github.com/agent-memory/agent-memory/platform/tracing"
	"github.com/alecthomas/kong"
)

type serveCommand struct{}

// Run serves until the context ends.
func (serveCommand) Run(ctx context.Context, cfg *config.Config, app *kong.Kong, to streams) (err error) {
	// A reader of the log that goes away costs its lines, not the server: without this the next one would end
	// it.
	signal.Ignore(syscall.SIGPIPE)
	if err := cfg.Complete(); err != nil {
		return err
	}
	logger, closeLog, err := log.New(log.Config{Level: cfg.Server.LogLevel, File: cfg.Server.LogFile, Out: to.err})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	for _, u := range unknownSettings(app) {
		logger.Warn("setting_unknown", "name", u.Name, "note", "no setting has this name, and it has no effect", "nearest", u.Nearest)
	}
	traces, err := tracing.New(ctx, tracing.Config{Service: name, Version: version, Log: logger})
	if err != nil {
		return err
	}
	defer closeTraces(traces) //nolint:contextcheck // the last spans are sent after ctx has ended
	found := &library{}
	defer found.release()
	s, err := newServer(*cfg, dependencies{ //nolint:contextcheck // the registry outlives the start
		locate: func(wanted context.Context, id string, progress func(string, float64)) (string, error) {
			wanted, cancel := context.WithCancelCause(wanted)
			defer cancel(nil)
			defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })() // nobody fetches for a server that ends
			return found.locate(wanted, id, progress)
		},
		openModel: func(cfg config.MLX, path string, progress func(string, float64)) (engine.Model, error) {
			return openModel(cfg, path, progress, logger)
		},
		openText: func(path, template string) (messages.Renderer, error) { return prompt.Open(path, template) },
		kept:     keptInCache,
		fatal:    func(error) { os.Exit(3) }, // the engine has logged why
		log:      logger,
		drainLag: drainLag,
		traces:   traces,
	})
	if err != nil {
		return err
	}
	address := net.JoinHostPort(cfg.Server.Host, strconv.Itoa(cfg.Server.Port))
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("SEMANTIC_SERVER_HOST, SEMANTIC_SERVER_PORT: listen on %s: %w", address, err)
	}
	logger.Info("server_start", "address", listener.Addr().String(), "model", cfg.MLX.ModelID, "version", version)
	if s.keys.guard.IsOpen() {
		logger.Warn("no_api_key", "note", "there is no API key: any key is taken, on loopback only")
	}
	err = s.run(ctx, listener)
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil // it was told to end while it pulled its model
	}
	return err
}

type settingsCommand struct {
	printed
	Reference string `help:"Write what there is to set into this Markdown file, between its markers, instead."`
}

// Run prints the settings, one NAME=value a line.
func (c settingsCommand) Run(cfg *config.Config, app *kong.Kong, to streams) error {
	if c.Reference != "" {
		return writeReference(c.Reference, settings.Reference(app.Model.Flags))
	}
	if err := cfg.Complete(); err != nil {
		return err
	}
	for _, u := range unknownSettings(app) {
		fmt.Fprintf(to.err, "%s: no setting has this name, and it has no effect%s\n", u.Name, meant(u.Nearest))
	}
	all := settings.Effective(app.Model.Flags)
	return c.print(to, all, func(t *tabwriter.Writer) {
		for _, s := range all {
			fmt.Fprintf(t, "%s=%s\n", s.Name, s.Value)
		}
	})
}

// unknownSettings are the variables of the environment that look like settings and are none. Kubernetes sets some
// for the service semantic-caching-api, which nobody mistyped.
func unknownSettings(app *kong.Kong) []settings.Unknown {
	unknown := settings.UnknownIn(os.Environ(), "SEMANTIC_", app.Model.Flags)
	return slices.DeleteFunc(unknown, func(u settings.Unknown) bool { return strings.HasPrefix(u.Name, "SEMANTIC_CACHING_API_") })
}

// meant asks whether another name was meant.
func meant(nearest string) string {
	if nearest == "" {
		return ""
	}
	return "; was " + nearest + " meant?"
}

type openapiCommand struct {
	Dir string `help:"Folder for openapi.yaml, openapi.json, and openapi-3.0.json for older generators; without it the YAML goes to standard output."`
}

// Run writes the document. It needs no model.
func (c openapiCommand) Run(cfg *config.Config, to streams) error {
	cfg.Agent.CacheDir, cfg.DatabaseURL = "", "" // nothing is opened
	s, err := newServer(*cfg, dependencies{})
	if err != nil {
		return err
	}
	yaml, err := s.router.YAML()
	if err != nil {
		return err
	}
	if c.Dir == "" {
		_, err := to.out.Write(yaml)
		return err
	}
	json, err := s.router.JSON()
	if err != nil {
		return err
	}
	json30, err := httpapi.JSON30(s.router)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(c.Dir, "openapi.yaml"), yaml, 0o644),
		os.WriteFile(filepath.Join(c.Dir, "openapi.json"), json, 0o644),
		os.WriteFile(filepath.Join(c.Dir, "openapi-3.0.json"), json30, 0o644))
}

type versionCommand struct{ printed }

// Run prints the version.
func (c versionCommand) Run(to streams) error {
	about := map[string]string{"name": name, "version": version}
	return c.print(to, about, func(t *tabwriter.Writer) { fmt.Fprintln(t, name, version) })
}
