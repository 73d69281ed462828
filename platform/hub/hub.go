// Package hub fetches files of repositories from a Hugging Face hub into the cache that its other clients
// use too: models--owner--name with blobs, snapshots and refs. A repository is listed once, with its commit and
// each file's size and digest; all files are of that commit. A file is fetched in pieces side by side, goes on
// where it broke off, in a later process too, and gets its name only after size and digest were checked.
//
// What a hub says is hostile input: names that lead out of the cache are refused, sizes and digests are checked,
// bodies are read no further than announced, and the token goes to the hub's own address only.
//
// Locks are files that other clients take as well: two processes never fetch one file at once.
package hub

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/platform/settings"
	"github.com/agent-memory/agent-memory/platform/vfs"
)

// Config says which hub is asked and where files are kept.
type Config struct {
	Endpoint string // default https://huggingface.co
	Token    string // for private and gated repositories
	Cache    string // folder that holds one folder for each repository
	Offline  bool   // nothing is asked
	Client   *http.Client
	Progress func(Progress) // may be nil; never called twice at once
	// Stall is how long a transfer may take for its next 16 KB before it is given up and tried again; default one
	// minute.
	Stall time.Duration
	// Pause waits between two tries; by the clock unless it is set.
	Pause func(ctx context.Context, d time.Duration) error
	// Free tells how many bytes can be written to a folder's volume; by the file system unless it is set.
	Free func(folder string) (int64, error)
	// PieceBytes is the length of the pieces of a file; default 32 MiB. Workers is how many are fetched at once;
	// default 4.
	PieceBytes int64
	Workers    int
}

// Progress tells how far a pull is, in bytes of all its files.
type Progress struct {
	File        string // the one that is fetched
	Done, Total int64
	IsWaiting   bool // another process fetches it
}

// Hub is a client of one hub with its cache.
type Hub struct {
	Config

	told sync.Mutex // held while Progress is called
}

const defaultEndpoint = "https://huggingface.co"

// New fills in what the configuration leaves open.
func New(c Config) *Hub {
	if c.Endpoint == "" {
		c.Endpoint = defaultEndpoint
	}
	c.Endpoint = strings.TrimRight(c.Endpoint, "/")
	if c.Client == nil {
		c.Client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}
	}
	if c.Stall == 0 {
		c.Stall = time.Minute
	}
	if c.Pause == nil {
		c.Pause = pause
	}
	if c.Free == nil {
		c.Free = vfs.OS{}.Free
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	if c.PieceBytes == 0 {
		c.PieceBytes = 32 << 20
	}
	if c.Workers == 0 {
		c.Workers = 4
	}
	return &Hub{Config: c}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// FromEnvironment reads the variables that clients of the hub share: HF_ENDPOINT, HF_TOKEN (or the file that
// they keep it in), HF_HUB_OFFLINE, HF_HUB_CACHE and HF_HOME.
func FromEnvironment(getenv func(string) string) (Config, error) {
	home := getenv("HF_HOME")
	if home == "" {
		caches := getenv("XDG_CACHE_HOME")
		if caches == "" {
			user := getenv("HOME")
			if user == "" && getenv("HF_HUB_CACHE") == "" {
				return Config{}, errors.New("find the hub's cache: neither HF_HUB_CACHE, HF_HOME nor HOME is set; set one of them")
			}
			caches = filepath.Join(user, ".cache")
		}
		home = filepath.Join(caches, "huggingface")
	}
	c := Config{Endpoint: getenv("HF_ENDPOINT"), Token: strings.TrimSpace(getenv("HF_TOKEN")), Cache: getenv("HF_HUB_CACHE")}
	if c.Cache == "" {
		c.Cache = filepath.Join(home, "hub")
	}
	if err := settings.ExpandHome("HF_HUB_CACHE, HF_HOME", &c.Cache); err != nil {
		return Config{}, err
	}
	c.Offline = isTrue(getenv("HF_HUB_OFFLINE")) || isTrue(getenv("TRANSFORMERS_OFFLINE"))
	if c.Token == "" && !isTrue(getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		c.Token = tokenIn(getenv("HF_TOKEN_PATH"), filepath.Join(home, "token"))
	}
	return c, nil
}

func isTrue(value string) bool {
	return slices.Contains([]string{"1", "true", "yes", "on"}, strings.ToLower(value))
}

// tokenIn is the token in the named file, or else in the usual one, or "".
func tokenIn(named, usual string) string {
	if named == "" {
		named = usual
	}
	raw, err := os.ReadFile(named)
	if err != nil {
		return "" // most have none
	}
	return strings.TrimSpace(string(raw))
}
