package weights

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Hub says where models are fetched from and kept.
type Hub struct {
	Endpoint string // default https://huggingface.co
	Token    string // for private and gated repositories
	Folder   string // holds one folder for each repository
	Client   *http.Client
	Progress func(file string, share float64) // may be nil
}

const hubEndpoint = "https://huggingface.co"

var repositoryName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$`)

// errAbsent is a file that the repository does not have.
var errAbsent = errors.New("the repository does not have it")

// Fetch brings a repository's configuration, tokenizer and safetensors to disk and returns their folder. Files that
// are there already are kept; a broken download goes on where it broke off.
func Fetch(ctx context.Context, h Hub, repository string) (string, error) {
	if !repositoryName.MatchString(repository) {
		return "", fmt.Errorf("%q is neither a file or folder that exists nor the name of a repository (owner/name)", repository)
	}
	if h.Endpoint == "" {
		h.Endpoint = hubEndpoint
	}
	if h.Client == nil {
		h.Client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: time.Minute}}
	}
	folder := filepath.Join(h.Folder, strings.Replace(repository, "/", "--", 1))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("fetch %s: %w", repository, err)
	}
	if err := h.fetchAll(ctx, repository, folder); err != nil {
		return "", fmt.Errorf("fetch %s: %w", repository, err)
	}
	return folder, nil
}

func (h Hub) fetchAll(ctx context.Context, repository, folder string) error {
	for _, file := range []string{"config.json", "tokenizer.json", "tokenizer_config.json"} {
		if err := h.file(ctx, repository, folder, file); err != nil {
			return err
		}
	}
	for _, file := range []string{"generation_config.json", "chat_template.jinja"} {
		if err := h.file(ctx, repository, folder, file); err != nil && !errors.Is(err, errAbsent) {
			return err
		}
	}
	err := h.file(ctx, repository, folder, "model.safetensors.index.json")
	if err != nil && !errors.Is(err, errAbsent) {
		return err
	}
	files, err := shards(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := h.file(ctx, repository, folder, filepath.Base(f)); err != nil {
			return err
		}
	}
	return nil
}

// file fetches one file through a .part beside it, which is renamed when whole.
func (h Hub) file(ctx context.Context, repository, folder, name string) error {
	path := filepath.Join(folder, name)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	part, err := os.OpenFile(path+".part", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer part.Close()
	if err := h.download(ctx, h.Endpoint+"/"+repository+"/resolve/main/"+url.PathEscape(name), name, part); err != nil {
		if errors.Is(err, errAbsent) {
			os.Remove(path + ".part")
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := part.Sync(); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// download appends what is missing to the part.
func (h Hub) download(ctx context.Context, address, name string, part *os.File) error {
	have, err := part.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if h.Token != "" {
		request.Header.Set("Authorization", "Bearer "+h.Token)
	}
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	response, err := h.Client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := statusError(response.StatusCode); err != nil {
		return err
	}
	if response.StatusCode == http.StatusOK && have > 0 { // the server sends all of it again
		if err := errors.Join(part.Truncate(0), rewind(part)); err != nil {
			return err
		}
		have = 0
	}
	return h.copy(part, response, name, have)
}

func rewind(f *os.File) error { _, err := f.Seek(0, io.SeekStart); return err }

func statusError(code int) error {
	switch code {
	case http.StatusOK, http.StatusPartialContent:
		return nil
	case http.StatusNotFound:
		return errAbsent
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("the hub refuses access (%d); set HF_TOKEN for a private or gated repository, and check its name", code)
	}
	return fmt.Errorf("the hub answered %d", code)
}

func (h Hub) copy(part *os.File, response *http.Response, name string, have int64) error {
	total := have + response.ContentLength
	buffer := make([]byte, 1<<20)
	for {
		n, err := response.Body.Read(buffer)
		if _, werr := part.Write(buffer[:n]); werr != nil {
			return werr
		}
		have += int64(n)
		if h.Progress != nil && response.ContentLength > 0 {
			h.Progress(name, float64(have)/float64(total))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("broke off after %d bytes, start again to go on: %w", have, err)
		}
	}
	if response.ContentLength >= 0 && have != total {
		return fmt.Errorf("%d bytes arrived of %d, start again to go on", have, total)
	}
	return nil
}

// ChatTemplate finds a folder's chat template: chat_template.jinja, or the one (or the one named default) of
// tokenizer_config.json. It is empty when there is none.
func ChatTemplate(folder string, tokenizerConfig []byte) (string, error) {
	if raw, err := os.ReadFile(filepath.Join(folder, "chat_template.jinja")); err == nil {
		return string(raw), nil
	}
	var c struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if err := json.Unmarshal(tokenizerConfig, &c); err != nil {
		return "", fmt.Errorf("tokenizer_config.json: %w", err)
	}
	var one string
	if len(c.Template) == 0 || json.Unmarshal(c.Template, &one) == nil {
		return one, nil
	}
	var named []struct{ Name, Template string }
	if err := json.Unmarshal(c.Template, &named); err != nil {
		return "", fmt.Errorf("tokenizer_config.json: chat_template: %w", err)
	}
	for _, t := range named {
		if t.Name == "default" {
			return t.Template, nil
		}
	}
	return "", nil
}
