package object

import (
	"context"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/platform/objectstore"
)

// Request is a request to the bucket that has ended, well or not.
type Request struct {
	Operation     string   // "get", "put", "list", "delete" or "head"
	Payer         kv.Payer // for whom it was made
	Read, Written int64    // bytes of objects; none of a request that failed
}

// meteredBucket tells of every request.
type meteredBucket struct {
	inner   Bucket
	observe func(Request)
}

var _ Bucket = (*meteredBucket)(nil)

// NewMetered has observe called, from any goroutine, when a request to the bucket has ended.
func NewMetered(inner Bucket, observe func(Request)) Bucket { return &meteredBucket{inner, observe} }

func (b *meteredBucket) ended(ctx context.Context, operation string, read, written int, err error) {
	if err != nil {
		read, written = 0, 0
	}
	b.observe(Request{Operation: operation, Payer: kv.PayerOf(ctx), Read: int64(read), Written: int64(written)})
}

// Put implements Bucket. Of an object that was there already the bytes were sent, too.
func (b *meteredBucket) Put(ctx context.Context, key string, data []byte) (stored bool, err error) {
	stored, err = b.inner.Put(ctx, key, data)
	b.ended(ctx, "put", 0, len(data), err)
	return stored, err
}

// Replace implements Bucket.
func (b *meteredBucket) Replace(ctx context.Context, key string, data []byte) error {
	err := b.inner.Replace(ctx, key, data)
	b.ended(ctx, "put", 0, len(data), err)
	return err
}

// Get implements Bucket.
func (b *meteredBucket) Get(ctx context.Context, key string, buf []byte) ([]byte, error) {
	data, err := b.inner.Get(ctx, key, buf)
	b.ended(ctx, "get", len(data), 0, err)
	return data, err
}

// GetStart implements Bucket.
func (b *meteredBucket) GetStart(ctx context.Context, key string, most int) (start []byte, size int64, err error) {
	start, size, err = b.inner.GetStart(ctx, key, most)
	b.ended(ctx, "get", len(start), 0, err)
	return start, size, err
}

// List implements Bucket.
func (b *meteredBucket) List(ctx context.Context, prefix, after string, most int) ([]objectstore.Object, error) {
	page, err := b.inner.List(ctx, prefix, after, most)
	b.ended(ctx, "list", 0, 0, err)
	return page, err
}

// Delete implements Bucket.
func (b *meteredBucket) Delete(ctx context.Context, key string) error {
	err := b.inner.Delete(ctx, key)
	b.ended(ctx, "delete", 0, 0, err)
	return err
}
