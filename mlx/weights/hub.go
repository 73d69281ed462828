package weights

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/platform/vfs"
)

// Hub says where models are fetched from and kept.
type Hub struct {
	Endpoint string // default https://huggingface.co
	Token    string // for private and gated repositories
	Folder   string // holds one folder for each repository
	Client   *http.Client
	Progress func(file string, share float64) // may be nil
	// Stall is how long a transfer may take for its next 16 KB before it is given up and tried again; default
	// one minute.
	Stall time.Duration
	// Pause waits between two tries; by the clock unless it is set.
	Pause func(ctx context.Context, d time.Duration) error
}

const hubEndpoint = "https://huggingface.co"

var repositoryName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$`)

// errAbsent is a file that the repository does not have.
var errAbsent = errors.New("the repository does not have it")

// Fetch brings a repository's configuration, tokenizer and safetensors to disk and returns their folder. All
// files are of one revision: the one that the folder was begun with. What is there is kept, a broken download
// goes on where it broke off if the hub still has the same contents, and each file is held to the size and
// the digest that the hub tells of it. A folder that was fetched as a whole needs no hub.
func Fetch(ctx context.Context, h Hub, repository string) (string, error) {
	if !repositoryName.MatchString(repository) {
		return "", fmt.Errorf("%q is neither a file or folder that exists nor the name of a repository (owner/name)", repository)
	}
	folder := filepath.Join(h.Folder, strings.Replace(repository, "/", "--", 1))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("fetch %s: %w", repository, err)
	}
	if err := h.withDefaults().fetchLocked(ctx, repository, folder); err != nil {
		return "", fmt.Errorf("fetch %s: %w", repository, err)
	}
	return folder, nil
}

func (h Hub) withDefaults() Hub {
	if h.Endpoint == "" {
		h.Endpoint = hubEndpoint
	}
	h.Endpoint = strings.TrimRight(h.Endpoint, "/")
	if h.Client == nil {
		h.Client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}
	}
	if h.Stall == 0 {
		h.Stall = time.Minute
	}
	if h.Pause == nil {
		h.Pause = pause
	}
	if h.Progress == nil {
		h.Progress = func(string, float64) {}
	}
	return h
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

// fetchLocked keeps two processes from writing to one folder: the second waits, and then finds the files
// there.
func (h Hub) fetchLocked(ctx context.Context, repository, folder string) (err error) {
	lock, err := vfs.OS{}.Lock(filepath.Join(folder, "fetch.lock"))
	for ; errors.Is(err, vfs.ErrLocked); lock, err = (vfs.OS{}).Lock(filepath.Join(folder, "fetch.lock")) {
		h.Progress("(another process is at it)", 0)
		if err := h.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	c := readCheckout(folder)
	if c.Complete && c.isWhole() {
		return nil
	}
	return h.fetchAll(ctx, repository, c)
}

func (h Hub) fetchAll(ctx context.Context, repository string, c *checkout) error {
	for _, name := range requiredFiles() {
		if err := h.file(ctx, repository, c, name); err != nil {
			return err
		}
	}
	for _, name := range []string{"generation_config.json", "chat_template.jinja", "model.safetensors.index.json"} {
		if err := h.file(ctx, repository, c, name); err != nil && !errors.Is(err, errAbsent) {
			return err
		}
	}
	files, err := shards(c.folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := h.file(ctx, repository, c, filepath.Base(f)); err != nil {
			return err
		}
	}
	c.Complete = true
	return c.save()
}

// file fetches one file through a .part beside it, which is renamed when it is whole and what the hub said it
// is.
func (h Hub) file(ctx context.Context, repository string, c *checkout, name string) error {
	path := filepath.Join(c.folder, name)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	part, err := os.OpenFile(path+".part", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	d := download{hub: h, checkout: c, repository: repository, name: name, part: part}
	if err := errors.Join(d.run(ctx), part.Close()); err != nil {
		if errors.Is(err, errAbsent) {
			_ = os.Remove(path + ".part") // an empty file hurts nobody
		}
		return fmt.Errorf("%s: %w", name, c.explain(err))
	}
	if err := os.Rename(path+".part", path); err != nil {
		return err
	}
	delete(c.Parts, name)
	return c.save()
}
