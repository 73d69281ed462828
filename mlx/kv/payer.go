package kv

import "context"

// Payer is whom work and memory are charged to. Who keeps the accounts makes payers, and everybody else only passes
// them on; nil is nobody in particular.
type Payer any

type payerKey struct{}

// WithPayer has what is done under the context charged to somebody.
func WithPayer(ctx context.Context, p Payer) context.Context {
	if p == nil {
		return ctx
	}
	return context.WithValue(ctx, payerKey{}, p)
}

// PayerOf is who pays for what is done under the context.
func PayerOf(ctx context.Context) Payer { return ctx.Value(payerKey{}) }

// Meter is told which blocks come into a tier and leave it, in that order. It is called with the tier's locks held: it calls
// nobody, waits for no I/O and returns at once.
type Meter interface {
	// Entered notes that a block of so many bytes can be found from now on. Who pays for it is remembered by the tier.
	Entered(p Payer, s Space, bytes int64)
	// Left notes that a block that entered can be found no more.
	Left(p Payer, s Space, bytes int64)
}

// NoMeter is a meter that counts nothing.
type NoMeter struct{}

// Entered implements Meter.
func (NoMeter) Entered(Payer, Space, int64) {}

// Left implements Meter.
func (NoMeter) Left(Payer, Space, int64) {}
