// Package objectstore reaches one bucket of S3-compatible storage, and tells its faults apart.
//
// No call is repeated here: who calls decides what is worth another attempt. What was not there before a call
// that failed may be there after it.
package objectstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Config says where the bucket is.
type Config struct {
	Endpoint  string // host, host:port, or a URL whose scheme decides about TLS; empty: Amazon's
	Bucket    string
	Prefix    string // of all keys; folders end with a slash
	Region    string // empty: us-east-1
	AccessKey string // empty: the usual chain of Amazon's clients (environment, shared file, instance role)
	SecretKey string
	TLS       bool
	// Transport is for tests and proxies; nil: one of its own.
	Transport http.RoundTripper
}

// Object is one entry of a listing.
type Object struct {
	Key      string // without the bucket's prefix
	Size     int64
	Modified time.Time // when it was stored
}

// Bucket is one bucket, below a prefix. Its methods may be called from anywhere.
type Bucket struct {
	core   minio.Core
	name   string
	prefix string
}

// Open checks the configuration. It asks nobody.
func Open(cfg Config) (*Bucket, error) {
	host, isTLS, err := endpoint(cfg.Endpoint, cfg.TLS)
	if err != nil {
		return nil, err
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Transport == nil {
		cfg.Transport = newTransport()
	}
	core, err := minio.NewCore(host, &minio.Options{
		Creds: credentialsOf(cfg), Secure: isTLS, Region: cfg.Region, Transport: cfg.Transport, MaxRetries: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("object storage %s: %w", host, err)
	}
	return &Bucket{core: *core, name: cfg.Bucket, prefix: cfg.Prefix}, nil
}

// endpoint splits a URL or an address into the host and whether TLS is to be used.
func endpoint(address string, isTLS bool) (host string, _ bool, _ error) {
	if address == "" {
		return "s3.amazonaws.com", isTLS, nil
	}
	if !strings.Contains(address, "://") {
		return address, isTLS, nil
	}
	at, err := url.Parse(address)
	if err != nil || at.Host == "" || strings.Trim(at.Path, "/") != "" || at.Scheme != "http" && at.Scheme != "https" {
		return "", false, fmt.Errorf("object storage at %q: give host:port, http://host:port or https://host:port", address)
	}
	return at.Host, at.Scheme == "https", nil
}

func credentialsOf(cfg Config) *credentials.Credentials {
	if cfg.AccessKey != "" {
		return credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey, "")
	}
	return credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{Client: &http.Client{Transport: newTransport()}},
	})
}

// newTransport keeps connections for many requests at once, and gives up on a server that can't be reached.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext,
		MaxIdleConns: 256, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: 5 * time.Second, ExpectContinueTimeout: time.Second,
		DisableCompression: true, WriteBufferSize: 1 << 18, ReadBufferSize: 1 << 18,
	}
}

// Check asks whether the bucket is there and may be read.
func (b *Bucket) Check(ctx context.Context) error {
	exists, err := b.core.BucketExists(ctx, b.name)
	if err == nil && !exists {
		err = fmt.Errorf("%w: there is no such bucket", ErrRefused)
	}
	if err != nil {
		return fmt.Errorf("look for the bucket %s: %w", b.name, withKind(err))
	}
	return nil
}

// Put stores an object unless there is one of that key, and tells whether it did.
func (b *Bucket) Put(ctx context.Context, key string, data []byte) (stored bool, err error) {
	opts := putOptions()
	opts.SetMatchETagExcept("*")
	err = b.put(ctx, key, data, opts)
	if errors.Is(err, errExists) {
		return false, nil
	}
	return err == nil, err
}

// Replace stores an object in place of the one that is there.
func (b *Bucket) Replace(ctx context.Context, key string, data []byte) error {
	return b.put(ctx, key, data, putOptions())
}

func putOptions() minio.PutObjectOptions {
	return minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true}
}

func (b *Bucket) put(ctx context.Context, key string, data []byte, opts minio.PutObjectOptions) error {
	_, err := b.core.Client.PutObject(ctx, b.name, b.prefix+key, bytes.NewReader(data), int64(len(data)), opts)
	return b.fault("store", key, err)
}

// Get returns an object, in buf if that is large enough. An object that ends early is an error.
func (b *Bucket) Get(ctx context.Context, key string, buf []byte) ([]byte, error) {
	body, size, err := b.open(ctx, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if int64(cap(buf)) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	_, err = io.ReadFull(body, buf)
	return buf, b.fault("read", key, err)
}

// GetStart returns the first bytes of an object, at most so many, and the size of all of it.
func (b *Bucket) GetStart(ctx context.Context, key string, maxBytes int) (start []byte, size int64, err error) {
	var opts minio.GetObjectOptions
	if err := opts.SetRange(0, int64(maxBytes)-1); err != nil {
		return nil, 0, err
	}
	body, size, err := b.open(ctx, key, opts)
	if err != nil {
		return nil, 0, err
	}
	defer body.Close()
	start = make([]byte, min(int64(maxBytes), size))
	_, err = io.ReadFull(body, start)
	return start, size, b.fault("read", key, err)
}

// open begins to read an object; the size is that of all of it.
func (b *Bucket) open(ctx context.Context, key string, opts minio.GetObjectOptions) (io.ReadCloser, int64, error) {
	body, info, header, err := b.core.GetObject(ctx, b.name, b.prefix+key, opts)
	if err != nil {
		return nil, 0, b.fault("read", key, err)
	}
	size := info.Size
	if _, total, is := strings.Cut(header.Get("Content-Range"), "/"); is {
		if _, err := fmt.Sscan(total, &size); err != nil {
			return nil, 0, errors.Join(b.fault("read", key, fmt.Errorf("a range of %q", header.Get("Content-Range"))), body.Close())
		}
	}
	return body, size, nil
}

// List returns the first objects below a prefix whose keys come behind another one, in the order of their
// keys, at most so many. An empty key is before all.
func (b *Bucket) List(ctx context.Context, prefix, after string, maxObjects int) (page []Object, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opts := minio.ListObjectsOptions{Prefix: b.prefix + prefix, Recursive: true, MaxKeys: min(maxObjects, 1000)}
	if after != "" {
		opts.StartAfter = b.prefix + after
	}
	for info := range b.core.ListObjectsIter(ctx, b.name, opts) {
		if info.Err != nil {
			return nil, b.fault("list", prefix, info.Err)
		}
		if page = append(page, Object{strings.TrimPrefix(info.Key, b.prefix), info.Size, info.LastModified}); len(page) == maxObjects {
			break
		}
	}
	return page, b.fault("list", prefix, ctx.Err())
}

// Delete removes an object; one that isn't there is no error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	err := b.fault("remove", key, b.core.RemoveObject(ctx, b.name, b.prefix+key, minio.RemoveObjectOptions{}))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
