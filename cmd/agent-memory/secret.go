package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/modules/agents"
)

// secretFile is where a node that shares a database keeps the cluster's secret, beside its blocks: it can go
// on with them while the database is away, and give the secret to a database that lost it.
const secretFile = "cluster-secret"

// secretForm begins the written form of a secret, which is its bytes in hexadecimal.
const secretForm = "agent-memory-cluster-secret-1:"

// secretBytes is the length of a secret.
const secretBytes = 32

func formatSecret(secret []byte) string { return secretForm + hex.EncodeToString(secret) + "\n" }

func readSecret(text string) ([]byte, error) {
	digits, is := strings.CutPrefix(strings.TrimSpace(text), secretForm)
	secret, err := hex.DecodeString(digits)
	if !is || err != nil || len(secret) != secretBytes {
		return nil, fmt.Errorf("it is no secret: one is %s and %d hexadecimal digits", secretForm, 2*secretBytes)
	}
	return secret, nil
}

// readSecretFile returns the secret that the cache folder keeps, nil if there is none.
func readSecretFile(dir string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(dir, secretFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	secret, err := readSecret(string(text))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, secretFile), err)
	}
	return secret, nil
}

// keptSecret is readSecretFile for the server: a secret that can't be read counts as unknown, and is logged.
func (s *server) keptSecret() []byte {
	secret, err := readSecretFile(s.cfg.Agent.CacheDir)
	if err != nil {
		s.deps.log.Error("cluster_secret_unreadable", "error", err.Error(), "note", "the database's is taken when it can be reached")
	}
	return secret
}

// keepSecret keeps the secret in the cache folder.
func (s *server) keepSecret(secret []byte) {
	dir := s.cfg.Agent.CacheDir
	if kept, err := readSecretFile(dir); dir == "" || err == nil && bytes.Equal(kept, secret) {
		return
	}
	if err := writeWhole(dir, secretFile, formatSecret(secret)); err != nil {
		s.deps.log.Warn("cluster_secret_not_kept", "error", err.Error(),
			"note", "while the database is away this node can't start; write the secret down by agent-memory secret export")
	}
}

type secretCommand struct {
	Export secretExport `cmd:"" help:"Print the secret, from which all keys derive: who has it and the blocks can read them."`
	Import secretImport `cmd:"" help:"Give the secret to a database that has none."`
}

type secretExport struct{}

// Run prints the database's secret, or the one that the cache folder keeps while the database is away.
func (secretExport) Run(ctx context.Context, cfg *config.Config, to streams) error {
	if err := cfg.Complete(); err != nil {
		return err
	}
	secret, err := storedSecret(ctx, *cfg, nil)
	if err != nil && cfg.DatabaseURL != "" {
		kept, unread := readSecretFile(cfg.Agent.CacheDir)
		if kept == nil {
			return errors.Join(err, unread)
		}
		fmt.Fprintf(to.err, "%v\nthis is the secret that %s keeps\n", err, filepath.Join(cfg.Agent.CacheDir, secretFile))
		secret, err = kept, nil
	}
	if err == nil {
		_, err = io.WriteString(to.out, formatSecret(secret))
	}
	return err
}

// storedSecret asks the database for its secret, and gives it the proposed one if it has none.
func storedSecret(ctx context.Context, cfg config.Config, proposed []byte) (secret []byte, err error) {
	file := filepath.Join(cfg.Agent.CacheDir, recordsFile)
	if _, missing := os.Stat(file); cfg.DatabaseURL == "" && proposed == nil && missing != nil {
		return nil, fmt.Errorf("there is no database yet: %w", missing)
	}
	store, err := openRecords(ctx, cfg, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.Secret(ctx, proposed)
}

type secretImport struct {
	File string `arg:"" default:"-" help:"File with what export printed; - for standard input."`
}

// Run gives the secret to an empty database. One that has this secret already is left as it is.
func (c secretImport) Run(ctx context.Context, cfg *config.Config, to streams) error {
	if err := cfg.Complete(); err != nil {
		return err
	}
	secret, err := c.read()
	if err != nil {
		return err
	}
	kept, err := readSecretFile(cfg.Agent.CacheDir)
	if cfg.DatabaseURL != "" && (err != nil || kept != nil && !bytes.Equal(kept, secret)) {
		return fmt.Errorf("%s keeps another secret: the blocks beside it belong to another cluster; nothing was changed", filepath.Join(cfg.Agent.CacheDir, secretFile))
	}
	stored, err := storedSecret(ctx, *cfg, secret)
	if err != nil {
		return err
	}
	if !bytes.Equal(stored, secret) {
		return fmt.Errorf("%w; nothing was changed: import into an empty database", agents.ErrOtherSecret)
	}
	fmt.Fprintln(to.out, "the database has the secret")
	return nil
}

func (c secretImport) read() ([]byte, error) {
	var text []byte
	var err error
	if c.File == "-" {
		text, err = io.ReadAll(io.LimitReader(os.Stdin, 1<<10))
	} else {
		text, err = os.ReadFile(c.File)
	}
	if err != nil {
		return nil, fmt.Errorf("read the secret: %w", err)
	}
	secret, err := readSecret(string(text))
	if err != nil {
		return nil, fmt.Errorf("read the secret from %s: %w", c.File, err)
	}
	return secret, nil
}
