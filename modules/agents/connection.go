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

// connection is the way to the store: it is opened when that is possible, and anew when it is no longer where it was.
type connection struct {
	openStore func(ctx context.Context) (Store, error)
	settled   func(secret []byte)
	oneSecret bool
	opened    func() // told of every store that was opened
	log       *slog.Logger

	opens sync.Mutex // held while the store is opened, before mu

	mu      sync.Mutex
	store   Store
	opening error // why there is no store yet
	secret  []byte
	known   bool // the cluster has this secret
	broken  bool // the store failed, and nobody has to be told again
	refused bool // the store has another secret, and nobody has to be told again
}

func newConnection(cfg Settings, opened func()) *connection {
	return &connection{openStore: cfg.Open, settled: cfg.Settled, opened: opened, log: cfg.Log, opening: errNoStore,
		secret: cfg.Secret, known: cfg.Known, oneSecret: cfg.OneSecret}
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
	return c.store, c.opening
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
	c.opens.Lock()
	defer c.opens.Unlock()
	store, err := c.state()
	if errors.Is(err, errEnding) || err == nil && store.Check() == nil {
		return store, err
	}
	if store != nil {
		c.leave(ctx, store)
	}
	store, err = c.open(ctx)
	if err != nil {
		c.mu.Lock()
		c.opening = err
		c.mu.Unlock()
		c.failed(err)
		return nil, err
	}
	return store, nil
}

// leave gives a store up that is no longer where it was, with what it has written where it should be.
func (c *connection) leave(ctx context.Context, store Store) {
	gone, rescue := store.Check(), store.Rescue(ctx)
	if rescue == nil {
		c.log.Warn("database_removed", "error", gone.Error(), "note", "its records were written anew")
	} else {
		c.log.Error("database_removed", "error", errors.Join(gone, rescue).Error(), "note", "its records are lost")
	}
	c.mu.Lock()
	c.store, c.opening = nil, errNoStore
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
	if err := c.take(secret); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	c.settled(secret)
	c.mu.Lock()
	c.store, c.opening = store, nil
	c.mu.Unlock()
	c.opened()
	return store, nil
}

// take makes the stored secret the one that holds, unless the cluster is known to have another.
func (c *connection) take(secret []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	differs, told := !slices.Equal(secret, c.secret), c.refused
	if c.refused = differs && c.known; c.refused {
		if !told {
			c.log.Error("cluster_secret_differs", "error", ErrOtherSecret.Error(),
				"advice", "nothing is read from the database or written to it; give this node the address of its own cluster's database, or an empty cache folder")
		}
		return ErrOtherSecret
	}
	if differs && c.broken {
		c.log.Warn("cluster_secret_taken", "note", "the stored secret holds from now on; nothing was stored under the other one")
	}
	c.secret, c.known = secret, c.oneSecret || c.known
	return nil
}

// close ends the use of the store for good.
func (c *connection) close() {
	c.mu.Lock()
	store := c.store
	c.store, c.opening = nil, errEnding
	c.mu.Unlock()
	if store != nil {
		_ = store.Close()
	}
}

// failed tells of a store that can't be reached, once.
func (c *connection) failed(err error) {
	c.mu.Lock()
	told := c.broken
	c.broken = true
	c.mu.Unlock()
	if !told {
		c.log.Warn("database_unavailable", "error", err.Error(),
			"advice", "records stay in memory and are written later; check the database's address, or the file's volume, owner and mode")
	}
}

func (c *connection) healed() {
	c.mu.Lock()
	was := c.broken
	c.broken = false
	c.mu.Unlock()
	if was {
		c.log.Info("database_healed", "note", "records are written again")
	}
}

// isBroken tells whether the store is known to fail.
func (c *connection) isBroken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}
