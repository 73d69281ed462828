package agents

import (
	"context"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// CommandKind is what a command has nodes do.
type CommandKind string

// Kinds of commands.
const (
	CommandEvict    CommandKind = "evict"
	CommandPrefetch CommandKind = "prefetch"
	CommandRetain   CommandKind = "retain"
)

// Command is what an operator or a user asked of one node and what the other nodes are to do as well: each has
// a pool of its own, and a balancer chooses who is asked.
type Command struct {
	Kind       CommandKind
	Tenant, ID string
	Tier       string    // of an eviction: the tier that has the agent before; empty for any lower tier
	Until      time.Time // of a retention
}

// commandTimeout is how long one command of another node may take.
const commandTimeout = time.Minute

// commander moves agents, here and by commands to the other nodes, and carries out those that other nodes sent.
type commander struct {
	cfg       Settings
	conn      *connection
	hot       *hotAgents
	get       func(ctx context.Context, tenant, id string) (Record, error)
	toReceive chan struct{}
}

func newCommander(r *Registry) *commander {
	return &commander{cfg: r.cfg, conn: r.conn, hot: r.hot, get: r.Get, toReceive: make(chan struct{}, 1)}
}

// wake has the commander look for commands.
func (c *commander) wake() {
	select {
	case c.toReceive <- struct{}{}:
	default:
	}
}

// send leaves a command to the other nodes, if the store is shared, and returns how many these are.
func (c *commander) send(ctx context.Context, command Command) (nodes int, err error) {
	store, err := c.conn.ask(ctx)
	if err != nil {
		return 0, err
	}
	if shared, is := store.(Shared); is {
		return shared.Send(ctx, command)
	}
	return 0, nil
}

// run carries out what other nodes send until ctx ends.
func (c *commander) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.toReceive:
		}
		for _, command := range c.received(ctx) {
			c.carryOut(ctx, command)
		}
	}
}

// received takes what other nodes sent. What can't be asked for now is at the next beat.
func (c *commander) received(ctx context.Context) []Command {
	store, err := c.conn.ask(ctx)
	if err != nil {
		return nil
	}
	shared, is := store.(Shared)
	if !is {
		return nil
	}
	commands, err := shared.Received(ctx)
	if err != nil && ctx.Err() == nil {
		c.cfg.Log.Debug("commands_not_received", "error", err)
	}
	return commands
}

// carryOut does what one command says. Whoever sent it has been answered: a failure is told in the log.
func (c *commander) carryOut(ctx context.Context, command Command) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	moved, err := c.carry(ctx, command)
	attrs := []any{"kind", command.Kind, "tenant", command.Tenant, "agent", command.ID, "blocks", moved.Blocks, "bytes", moved.Bytes}
	if err != nil {
		c.cfg.Log.Warn("command_failed", append(attrs, "error", err.Error(), "advice", "give the command again; the node that was asked has carried it out")...)
		return
	}
	c.cfg.Log.Debug("command_carried_out", attrs...)
}

// Evict takes the agent out of the pool, once the tier of that name has it; empty for any lower tier. The
// other nodes that live, of which it returns the number, do so as well, soon.
func (c *commander) Evict(ctx context.Context, tenant, id, to string) (moved kv.Moved, nodes int, err error) {
	return c.everywhere(ctx, Command{Kind: CommandEvict, Tenant: tenant, ID: id, Tier: to}, c.evict)
}

// Prefetch brings the agent into the pool. Those of the other nodes do so as well, soon, that have it on a
// disk of their own.
func (c *commander) Prefetch(ctx context.Context, tenant, id string) (moved kv.Moved, nodes int, err error) {
	return c.everywhere(ctx, Command{Kind: CommandPrefetch, Tenant: tenant, ID: id}, c.prefetch)
}

// everywhere has the other nodes do what a command says, and does it here. An agent that nobody knows is told
// to nobody.
func (c *commander) everywhere(ctx context.Context, command Command, do func(context.Context, Command, Record) (kv.Moved, error)) (moved kv.Moved, nodes int, err error) {
	record, err := c.get(ctx, command.Tenant, command.ID)
	if err != nil {
		return moved, 0, err
	}
	if nodes, err = c.send(ctx, command); err != nil {
		return moved, 0, err
	}
	moved, err = do(ctx, command, record)
	return moved, nodes, err
}

// carry does what another node's command says.
func (c *commander) carry(ctx context.Context, command Command) (moved kv.Moved, err error) {
	record, err := c.get(ctx, command.Tenant, command.ID)
	if err != nil {
		return moved, err
	}
	switch command.Kind {
	case CommandEvict:
		return c.evict(ctx, command, record)
	case CommandPrefetch:
		if c.isElsewhere(record) {
			return moved, nil
		}
		return c.prefetch(ctx, command, record)
	case CommandRetain:
		c.cfg.Memory.Retain(record.Chains(), command.Until)
		return moved, nil
	}
	return moved, fmt.Errorf("the command %q is not one that this version knows", command.Kind)
}

func (c *commander) evict(ctx context.Context, command Command, record Record) (kv.Moved, error) {
	moved, err := c.cfg.Memory.Evict(ctx, record.Chains(), command.Tier)
	if err == nil {
		c.hot.remove(ref{command.Tenant, command.ID})
	}
	return moved, err
}

func (c *commander) prefetch(ctx context.Context, command Command, record Record) (kv.Moved, error) {
	moved, err := c.cfg.Memory.Prefetch(ctx, command.Tenant, record.Chains())
	if err == nil {
		c.hot.touch(ref{command.Tenant, command.ID})
	}
	return moved, err
}

// isElsewhere tells whether none of the agent's blocks is in a tier of this node's own.
func (c *commander) isElsewhere(record Record) bool {
	for _, h := range c.cfg.Memory.Holdings(record.Chains()) {
		if !h.IsDistant && h.Blocks > 0 {
			return false
		}
	}
	return true
}
