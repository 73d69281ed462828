package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/modules/console"
	"github.com/agent-memory/agent-memory/modules/keys"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/httpapi"
)

// guards are the scopes that paths ask for.
func guards() []httpapi.Guard {
	return []httpapi.Guard{
		{Prefix: "/v1", Scope: keys.Messages},
		{Prefix: "/v1/agents", Scope: keys.Agents},
		{Prefix: "/admin", Scope: keys.Admin, Advice: "; operators have it by SEMANTIC_ADMIN_KEY, and by keys that are made with it", Acts: true},
		{Prefix: console.Path, Open: true}, // the page itself; what it asks for needs the key
	}
}

// bootstrapKeys are those of the settings, and the same as requests are held to them.
func bootstrapKeys(cfg config.Config) (shown []keys.Key, fixed []auth.Fixed) {
	add := func(secret string, k keys.Key) {
		shown = append(shown, k)
		fixed = append(fixed, auth.Fixed{Secret: secret, Key: k.Auth()})
	}
	if cfg.AdminKey != "" {
		add(cfg.AdminKey, keys.Key{
			ID: "bootstrap-admin", Tenant: auth.DefaultTenant, Scopes: []auth.Scope{keys.Admin}, Variable: "SEMANTIC_ADMIN_KEY",
		})
	}
	for i, secret := range cfg.APIKeys {
		add(secret, keys.Key{
			ID: fmt.Sprintf("bootstrap-key-%05d", i+1), Tenant: auth.DefaultTenant, Scopes: []auth.Scope{keys.Messages, keys.Agents},
			Variable: "ANTHROPIC_API_KEY",
		})
	}
	return shown, fixed
}

// keysFile is there if a key was made at some time: then this node asks for keys, also while its database is
// away.
const keysFile = "keys-required"

// keyring is the API keys, and what asks requests for them.
type keyring struct {
	*keys.Keys
	guard *auth.Authenticator
	dir   string // where it is remembered that there are keys; may be empty
	log   *slog.Logger
}

// newKeyring returns the settings' keys, and those of the database once it is open.
func newKeyring(cfg config.Config, log *slog.Logger) *keyring {
	shown, fixed := bootstrapKeys(cfg)
	k := &keyring{dir: cfg.Agent.CacheDir, log: log}
	k.Keys = keys.New(keys.Settings{
		Bootstrap: shown, Log: log,
		Sync:   func(ctx context.Context) error { return k.guard.Sync(ctx) },
		IsOpen: func() bool { return k.guard.IsOpen() },
	})
	asked := auth.Config{Fixed: fixed, Used: k.Note, Required: k.isRequired(), Require: k.require}
	if cfg.DatabaseURL != "" || k.dir != "" {
		asked.Directory = k.Keys
	}
	k.guard = auth.New(asked)
	return k
}

// isRequired tells whether a key was made at some time. A folder that may not be read counts as one that says
// so.
func (k *keyring) isRequired() bool {
	if k.dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(k.dir, keysFile))
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// require remembers that a key was made.
func (k *keyring) require() {
	k.log.Info("api_keys_required", "note", "there are API keys: requests without one are refused from now on")
	if k.dir == "" {
		return
	}
	if err := writeWhole(k.dir, keysFile, "A key was made: this node asks for keys also while its database is away.\n"); err != nil {
		k.log.Warn("api_keys_required_not_kept", "error", err.Error(),
			"note", "should the database be away at the next start, this node takes requests without keys over loopback until it is back")
	}
}

// learn asks whether there are keys, before the first request comes. A database that can't be asked is asked
// again while the server runs.
func (k *keyring) learn() {
	ctx, cancel := context.WithTimeout(context.Background(), firstPatience)
	defer cancel()
	if err := k.guard.Sync(ctx); err != nil {
		k.log.Debug("api_keys_not_learned", "error", err.Error())
	}
}
