package weights

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// checkout is what is known of a folder that a repository is fetched into; it lies in the folder as
// fetch.json.
type checkout struct {
	folder string

	Revision string            `json:"revision"` // the commit that all files are of; empty while unknown
	Complete bool              `json:"complete"`
	Parts    map[string]origin `json:"parts"` // what the .part of a name holds the beginning of
}

// requiredFiles are the files without which there is no model, besides its tensors.
func requiredFiles() []string {
	return []string{"config.json", "tokenizer.json", "tokenizer_config.json"}
}

// readCheckout takes a file that can't be read for none: then files that are there are kept, parts are not.
func readCheckout(folder string) *checkout {
	c := &checkout{}
	raw, err := os.ReadFile(filepath.Join(folder, "fetch.json"))
	if err != nil || json.Unmarshal(raw, c) != nil {
		c = &checkout{}
	}
	c.folder = folder
	if !commitName.MatchString(c.Revision) {
		c.Revision = ""
	}
	if c.Parts == nil {
		c.Parts = map[string]origin{}
	}
	return c
}

func (c *checkout) save() error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	path := filepath.Join(c.folder, "fetch.json")
	if err := os.WriteFile(path+".new", raw, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// isWhole tells whether all files that a model needs are there.
func (c *checkout) isWhole() bool {
	files, err := shards(c.folder)
	if err != nil {
		return false
	}
	for _, name := range requiredFiles() {
		files = append(files, filepath.Join(c.folder, name))
	}
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			return false
		}
	}
	return true
}

// revision is what to ask the hub for.
func (c *checkout) revision() string {
	if c.Revision == "" {
		return "main"
	}
	return c.Revision
}

// pin holds all files to the revision that the first answer told of.
func (c *checkout) pin(commit string) error {
	if commit == "" || commit == c.Revision {
		return nil
	}
	if c.Revision != "" {
		return permanentError{fmt.Errorf("the hub sent revision %s where %s was asked for", commit, c.Revision)}
	}
	c.Revision = commit
	return c.save()
}

// explain says more of a file that is absent where the folder was begun with a revision that may be gone.
func (c *checkout) explain(err error) error {
	if !errors.Is(err, errAbsent) || c.Revision == "" {
		return err
	}
	return fmt.Errorf("%w in revision %s, with which %s was begun; to fetch the present one, remove that folder", err, c.Revision, c.folder)
}
