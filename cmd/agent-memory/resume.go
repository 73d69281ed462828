package main

import (
	"context"
	"errors"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

const (
	// resumeEvery is how often a node looks whether it can tell what the bucket lacks, until it could once.
	resumeEvery = 10 * time.Second
	// resumeFor is how long comparing one page of agents with the bucket may take.
	resumeFor = time.Minute
	// resumePage is how many agents are compared at once.
	resumePage = 200
)

// errNotYet says that what this node has is not known yet.
var errNotYet = errors.New("the disk is still being counted, or the database was not reached")

// resume has what the agents' records name and this node's disk has written to the bucket where that lacks
// it, once after the start: what the process before had not stored there when it ended, nobody else
// remembers. It ends with ctx.
func (s *server) resume(ctx context.Context) error {
	tick := time.NewTicker(resumeEvery)
	defer tick.Stop()
	var at agents.Cursor
	for isOver := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if isOver {
			continue
		}
		var err error
		if at, err = s.resumeFrom(ctx, at); err == nil {
			s.deps.log.Info("bucket_compared")
			isOver = true
		} else if ctx.Err() == nil {
			s.deps.log.Debug("bucket_not_compared", "error", err.Error())
		}
	}
}

// resumeFrom compares the agents behind a place in the order of all with the bucket, and returns how far it
// came.
func (s *server) resumeFrom(ctx context.Context, at agents.Cursor) (agents.Cursor, error) {
	if !s.tenants.isStored() || s.disk == nil || s.disk.Status().Indexing {
		return at, errNotYet
	}
	for {
		page, next, err := s.agents.List(ctx, agents.Filter{After: at, Limit: resumePage})
		if err != nil {
			return at, err
		}
		if err := s.resumePage(ctx, page); err != nil {
			return at, err
		}
		if at = next; next == (agents.Cursor{}) {
			return at, nil
		}
	}
}

func (s *server) resumePage(ctx context.Context, page []agents.Record) error {
	ctx, cancel := context.WithTimeout(ctx, resumeFor)
	defer cancel()
	c, err := s.engine.Cache()
	if err != nil {
		return err
	}
	blocks := map[string][]kv.Ref{} // by tenant
	for _, record := range page {
		for _, chain := range record.Chains() {
			blocks[record.Tenant] = append(blocks[record.Tenant], chain.Refs()...)
		}
	}
	for tenant, refs := range blocks {
		if err := c.Resume(s.memory.chargedTo(ctx, tenant), s.tenants.of(tenant), refs); err != nil {
			return err
		}
	}
	return nil
}
