//go:build e2e

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/object"
	"github.com/agent-memory/agent-memory/mlx/kv/tier"
	"github.com/agent-memory/agent-memory/mlx/kv/tiertest"
	"github.com/agent-memory/agent-memory/platform/objectstore"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const loopback = "127.0.0.1"

// makeBucket makes a bucket on the S3 server and returns its name.
func makeBucket(t *testing.T, server string) (name string) {
	t.Helper()
	client, err := minio.New(server, &minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	name = fmt.Sprintf("blocks-%d", buckets.Add(1))
	if err := client.MakeBucket(t.Context(), name, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

var buckets atomic.Int64

// open opens a bucket below a prefix.
func open(t *testing.T, endpoint, bucket string) *objectstore.Bucket {
	t.Helper()
	b, err := objectstore.Open(objectstore.Config{
		Endpoint: endpoint, Bucket: bucket, Prefix: "a prefix/", AccessKey: accessKey, SecretKey: secretKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// space is that of the tests' blocks.
func space() kv.Space { return kv.Space{Fingerprint: kv.Fingerprint{1}, Salt: kv.SaltID{2}} }

func TestTheObjectTierIsATierOnARealServer(t *testing.T) {
	server := startS3(t)
	tiertest.Run(t, func(t *testing.T) kv.Tier {
		return object.New(object.Config{Bucket: open(t, server, makeBucket(t, server)), Absence: time.Nanosecond})
	}, tiertest.Sealed)
}

// What is wrong is told apart by its kind, as a real client gets it from a real server.
func TestFaultsOfARealServerAreToldApart(t *testing.T) {
	server := startS3(t)
	bucket := makeBucket(t, server)
	way := meddle(t, loopback, server)
	e, file := tiertest.Sealed(t, space(), kv.Root, kv.BlockTokens, 1)
	answer := func(status int, code string) func(*http.Request) (int, string) {
		return func(*http.Request) (int, string) { return status, code }
	}
	for _, c := range []struct {
		refuse func(*http.Request) (int, string)
		bucket string
		want   string
	}{
		{answer(503, "SlowDown"), bucket, "throttled"},
		{answer(429, "TooManyRequests"), bucket, "throttled"},
		{answer(403, "AccessDenied"), bucket, "refused"},
		{answer(507, "QuotaExceeded"), bucket, "refused"},
		{answer(500, "InternalError"), bucket, "other"},
		{nil, "no-such-bucket", "refused"},
	} {
		way.with(c.refuse, nil)
		here := object.New(object.Config{Bucket: open(t, way.url, c.bucket)})
		err := here.Put(t.Context(), e, file)
		if kv.FaultOf(err) != c.want {
			t.Errorf("%s is wanted, %s is told: %v", c.want, kv.FaultOf(err), err)
		}
		if _, err := here.Get(t.Context(), e.Ref, nil); kv.FaultOf(err) != c.want {
			t.Errorf("%s is wanted for a read, %s is told: %v", c.want, kv.FaultOf(err), err)
		}
	}
	wrong, err := objectstore.Open(objectstore.Config{Endpoint: server, Bucket: bucket, AccessKey: accessKey, SecretKey: "another"})
	if err != nil {
		t.Fatal(err)
	}
	if err := wrong.Check(t.Context()); !errors.Is(err, objectstore.ErrRefused) {
		t.Errorf("with a wrong key: %v", err)
	}
}

// A network that is slow, cuts, resets or ends connections early costs errors and time, and never a wrong
// byte.
func TestABrokenNetworkNeverGivesWrongBytes(t *testing.T) {
	server := startS3(t)
	bucket := makeBucket(t, server)
	e, file := tiertest.Sealed(t, space(), kv.Root, kv.BlockTokens, 1)
	if err := object.New(object.Config{Bucket: open(t, server, bucket)}).Put(t.Context(), e, file); err != nil {
		t.Fatal(err)
	}
	for kind, c := range map[string]struct {
		attributes string
		reads      bool // in spite of the fault
	}{
		"latency":    {`"latency":200,"jitter":100`, true},
		"slicer":     {`"average_size":100,"size_variation":50,"delay":10`, true},
		"bandwidth":  {`"rate":50`, true},
		"limit_data": {`"bytes":3000`, false},
		"reset_peer": {`"timeout":0`, false},
		"timeout":    {`"timeout":0`, false},
	} {
		t.Run(kind, func(t *testing.T) {
			way := through(t, loopback, server)
			here := object.New(object.Config{Bucket: open(t, way.address(), bucket), ReadDeadline: 3 * time.Second, LookDeadline: time.Second})
			way.disturb(kind, c.attributes)
			got, err := here.Get(t.Context(), e.Ref, nil)
			if err == nil && !bytes.Equal(got, file) {
				t.Errorf("read %d other bytes", len(got))
			}
			if (err == nil) != c.reads || errors.Is(err, kv.ErrNotFound) {
				t.Errorf("read: %v", err)
			}
			way.heal()
			if got, err := here.Get(t.Context(), e.Ref, nil); err != nil || !bytes.Equal(got, file) {
				t.Errorf("after it was healed: %d bytes, %v", len(got), err)
			}
		})
	}
}

// A stall of 50 s opens the breaker, which costs callers nothing from then on, and it is used again soon
// after the stall.
func TestAStallOpensTheBreakerAndItHeals(t *testing.T) {
	server := startS3(t)
	bucket := makeBucket(t, server)
	way := through(t, loopback, server)
	here := tier.NewRetry(tier.NewBreaker(object.New(object.Config{Bucket: open(t, way.address(), bucket)}), tier.BreakerConfig{}), tier.RetryConfig{})
	e, file := tiertest.Sealed(t, space(), kv.Root, kv.BlockTokens, 1)
	if err := here.Put(t.Context(), e, file); err != nil {
		t.Fatal(err)
	}
	way.disturb("timeout", `"timeout":0`)
	stall := time.AfterFunc(50*time.Second, way.heal)
	defer stall.Stop()
	_, strange := tiertest.Sealed(t, space(), e.Key, kv.BlockTokens, 2)
	for seed := uint64(10); here.Status().Healthy; seed++ {
		other, _ := tiertest.Sealed(t, space(), kv.Root, kv.BlockTokens, seed)
		if _, err := here.Lookup(t.Context(), []kv.Ref{other.Ref}); err == nil {
			t.Fatal("the stall is no stall")
		}
	}
	quick, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := here.Put(quick, e, strange); !errors.Is(err, tier.ErrOpen) {
		t.Errorf("a caller waits for a tier that is left alone: %v", err)
	}
	if !tiertest.Within(patience, func() bool {
		_, err := here.Get(t.Context(), e.Ref, nil)
		time.Sleep(50 * time.Millisecond)
		return err == nil
	}) {
		t.Fatal("it never heals")
	}
	if s := here.Status(); !s.Healthy || s.Problem != "" {
		t.Errorf("%+v", s)
	}
}
