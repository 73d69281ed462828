package database

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Patience with connections that are taken out of a pool, and with their end.
const (
	apartPatience = 12 * time.Second
	closePatience = 2 * time.Second
)

// Apart returns a connection that is no longer the pool's, on which something was done: for what is a state
// of the connection. It is to be closed by CloseSoon.
func Apart(ctx context.Context, pool *pgxpool.Pool, do func(context.Context, *pgx.Conn) error) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, apartPatience)
	defer cancel()
	pooled, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	conn := pooled.Hijack()
	if err := do(ctx, conn); err != nil {
		CloseSoon(ctx, conn)
		return nil, err
	}
	return conn, nil
}

// CloseSoon closes a connection, also one that leads nowhere any more.
func CloseSoon(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closePatience)
	defer cancel()
	_ = conn.Close(ctx)
}

// Listen calls told once it listens on a channel, for what was told before, and whenever something is told
// there, until ctx ends or the connection is lost.
func Listen(ctx context.Context, pool *pgxpool.Pool, channel string, told func()) error {
	conn, err := Apart(ctx, pool, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize())
		return err
	})
	if err != nil {
		return fmt.Errorf("listen on the database's channel %s: %w", channel, err)
	}
	defer CloseSoon(ctx, conn)
	told()
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return fmt.Errorf("listen on the database's channel %s: %w", channel, err)
		}
		told()
	}
}
