package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/cache"
	"github.com/agent-memory/agent-memory/mlx/kv/object"
	"github.com/agent-memory/agent-memory/mlx/kv/tier"
	"github.com/agent-memory/agent-memory/platform/objectstore"
)

const (
	// bucketWriters is how many blocks are stored in the bucket at once: a request waits mostly for the
	// network.
	bucketWriters = 4
	// recordTimeout is how long a request waits for its agent's record, which only tells where to look.
	recordTimeout = 500 * time.Millisecond
	// bucketFlushFor is how long storing what the tiers lack may take at the end where there is a bucket.
	bucketFlushFor = 25 * time.Second
)

// openBucket makes the tier that all nodes share, if there is a bucket. Nobody is asked yet.
func (s *server) openBucket(counters *telemetry) error {
	c := s.cfg.S3
	if !c.IsUsed() {
		return nil
	}
	bucket, err := objectstore.Open(objectstore.Config{
		Endpoint: c.Endpoint, Bucket: c.Bucket, Prefix: c.Prefix, Region: c.Region,
		AccessKey: c.AccessKey, SecretKey: c.SecretKey, TLS: c.TLS,
	})
	if err != nil {
		return err
	}
	s.bucket = bucket
	objects := object.New(object.Config{
		Bucket: object.NewMetered(bucket, counters.accounts.asked), Meter: counters.accounts.ledger.Meter("object"),
	})
	s.checked = counters.accounts.asked
	s.inventory = object.NewInventory(objects)
	guarded := tier.NewBreaker(objects, tier.BreakerConfig{Log: s.deps.log, Advise: adviseBucket})
	s.shared = tier.NewMetrics(tier.NewRetry(guarded, tier.RetryConfig{}), time.Now, counters.call)
	return nil
}

// adviseBucket tells what to do about a fault of the bucket.
func adviseBucket(err error) string {
	switch {
	case errors.Is(err, kv.ErrRefused):
		return "check the bucket's name, SEMANTIC_S3_ACCESS_KEY and _SECRET_KEY, their rights and the quota"
	case errors.Is(err, kv.ErrThrottled):
		return "the storage takes fewer requests than this node makes; raise its limit or run fewer nodes"
	}
	return "check SEMANTIC_S3_ENDPOINT, SEMANTIC_S3_TLS and the network to the storage"
}

// checkBucketEvery is how often the bucket is looked for until it was reached once.
const checkBucketEvery = 10 * time.Second

// checkBucket tells once what is wrong with the bucket at the start, and when it was reached first. What is
// wrong later the breaker tells.
func (s *server) checkBucket(ctx context.Context) error {
	tick := time.NewTicker(checkBucketEvery)
	defer tick.Stop()
	isReported := false
	for {
		err := s.askBucket(ctx)
		switch {
		case err == nil:
			s.deps.log.Info("object_tier_reached", "bucket", s.cfg.S3.Bucket, "prefix", s.cfg.S3.Prefix)
			<-ctx.Done()
			return nil
		case !isReported && ctx.Err() == nil:
			s.deps.log.Warn("object_tier_degraded", "error", err.Error(), "advice", adviseBucket(err))
			isReported = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// askBucket asks once whether the bucket is there and may be read.
func (s *server) askBucket(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkBucketEvery)
	defer cancel()
	err := s.bucket.Check(ctx)
	s.checked(object.Request{Operation: "head", Payer: kv.PayerOf(ctx)})
	if errors.Is(err, objectstore.ErrRefused) {
		err = fmt.Errorf("%w: %w", kv.ErrRefused, err)
	}
	return err
}

// policies say how blocks go to the tiers: the bucket gets only what somebody is likely to use again.
func policies() map[string]cache.Policy {
	return map[string]cache.Policy{"object": {Writers: bucketWriters, OnlyWanted: true}}
}

// recorded are the conversations of an agent as far as the database tells soon.
func (s *server) recorded(ctx context.Context, tenant, agent string) []kv.Chain {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	record, err := s.agents.Get(ctx, tenant, agent)
	if err != nil {
		return nil
	}
	return record.Chains()
}
