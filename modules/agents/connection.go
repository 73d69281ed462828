package agents

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
)

var (
	errNoStore = errors.New("the database is not open yet")
	errEnding  = errors.New("the server is ending")
)

// connection opens the store when that is possible, and anew when it is no longer where it was.
type connection struct {
	openStore      func(ctx context.Context) (Store, error)
	onSecretStored func(secret []byte)
	oneSecret      bool
	onOpened       func() // told of every store that was opened
	log            *slog.Logger

	openMu sync.Mutex // held while the store is opened, before mu

	mu              sync.Mutex
	store           Store
	openErr         error // why there is no store yet
	secret          []byte
	isSecretKnown   bool // the cluster has this secret
	isFailing       bool // the store failed, and nobody has to be told again
	isSecretRefused bool // the store has another secret, and nobody has to be told again
}

func newConnection(cfg Settings, opened func()) *connection {
	return &connection{openStore: cfg.Open, onSecretStored: cfg.Settled, onOpened: opened, log: cfg.Log, openErr: errNoStore,
		secret: cfg.Secret, isSecretKnown: cfg.Known, oneSecret: cfg.OneSecret}
}

// clusterSecret is the stored one, or the proposed one while there is no store.
func (c *connection) clusterSecret() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.secret
}

func (c *connection) state() (Store, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.store, c.openErr
}

// ask returns the store. One whose file was removed is opened anew first.
func (c *connection) ask(ctx context.Context) (Store, error) {
	store, err := c.state()
	if err != nil || store.Check() == nil {
		return store, err
	}
	return c.reopen(ctx)
}

// reopen opens the store, if there is none or it is no longer where it was.
func (c *connection) reopen(ctx context.Context) (Store, error) {
	c.openMu.Lock()
	defer c.openMu.Unlock()
	store, err := c.state()
	if errors.Is(err, errEnding) || err == nil && store.Check() == nil {
		return store, err
	}
	if store != nil {
		c.abandon(ctx, store)
	}
	store, err = c.open(ctx)
	if err != nil {
		c.mu.Lock()
		c.openErr = err
		c.mu.Unlock()
		c.reportFailure(err)
		return nil, err
	}
	return store, nil
}

// abandon closes a store that is no longer where it was, after writing its records to where it should be.
func (c *connection) abandon(ctx context.Context, store Store) {
	gone, rescue := store.Check(), store.Rescue(ctx)
	if rescue == nil {
		c.log.Warn("database_removed", "error", gone.Error(), "note", "its records were written anew")
	} else {
		c.log.Error("database_removed", "error", errors.Join(gone, rescue).Error(), "note", "its records are lost")
	}
	c.mu.Lock()
	c.store, c.openErr = nil, errNoStore
	c.mu.Unlock()
	_ = store.Close()
}

// open opens the store and takes the cluster's secret that is there, or writes this one if there is none.
func (c *connection) open(ctx context.Context) (Store, error) {
	store, err := c.openStore(ctx)
	if err != nil {
		return nil, err
	}
	secret, err := store.Secret(ctx, c.clusterSecret())
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if err := c.adoptSecret(secret); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	c.onSecretStored(secret)
	c.mu.Lock()
	c.store, c.openErr = store, nil
	c.mu.Unlock()
	c.onOpened()
	return store, nil
}

// adoptSecret makes the stored secret the one that holds, unless the cluster is known to have another.
func (c *connection) adoptSecret(secret []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	differs, wasTold := !slices.Equal(secret, c.secret), c.isSecretRefused
	if c.isSecretRefused = differs && c.isSecretKnown; c.isSecretRefused {
		if !wasTold {
			c.log.Error("cluster_secret_differs", "error", ErrOtherSecret.Error(),
				"advice", "nothing is read from the database or written to it; give this node the address of its own cluster's database, or an empty cache folder")
		}
		return ErrOtherSecret
	}
	if differs && c.isFailing {
		c.log.Warn("cluster_secret_taken", "note", "the stored secret holds from now on; nothing was stored under the other one")
	}
	c.secret, c.isSecretKnown = secret, c.oneSecret || c.isSecretKnown
	return nil
}

// close ends the use of the store for good.
func (c *connection) close() {
	c.mu.Lock()
	store := c.store
	c.store, c.openErr = nil, errEnding
	c.mu.Unlock()
	if store != nil {
		_ = store.Close()
	}
}

// reportFailure logs once that the store can't be reached.
func (c *connection) reportFailure(err error) {
	c.mu.Lock()
	wasFailing := c.isFailing
	c.isFailing = true
	c.mu.Unlock()
	if !wasFailing {
		c.log.Warn("database_unavailable", "error", err.Error(),
			"advice", "records stay in memory and are written later; check the database's address, or the file's volume, owner and mode")
	}
}

// reportHealed logs that the store can be reached again, if that it can't was logged.
func (c *connection) reportHealed() {
	c.mu.Lock()
	was := c.isFailing
	c.isFailing = false
	c.mu.Unlock()
	if was {
		c.log.Info("database_healed", "note", "records are written again")
	}
}

// isBroken tells whether the store is known to fail.
func (c *connection) isBroken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isFailing
}
