package weights

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Choice is what of a repository's files makes up a model.
type Choice struct {
	Files []string // with slashes
	GGUF  string   // the one of them that is the model, where that is a GGUF
}

// Path is what Open takes, in the folder that has the files.
func (c Choice) Path(folder string) string { return filepath.Join(folder, filepath.FromSlash(c.GGUF)) }

var (
	numberedShard = regexp.MustCompile(`^model-\d+-of-\d+\.safetensors$`)
	splitGGUF     = regexp.MustCompile(`(?i)-\d+-of-\d+\.gguf$`)
)

// Choose finds the files that a model needs among those of a repository: configuration, tokenizer, templates and
// safetensors, or one GGUF, which pick names: the file, or what its name ends with (Q4_K_M).
func Choose(files []string, pick string) (Choice, error) {
	files = slices.Sorted(slices.Values(files))
	if pick == "" && slices.Contains(files, "config.json") && hasSafetensors(files) {
		return chooseFolder(files)
	}
	return chooseGGUF(files, pick)
}

func hasSafetensors(files []string) bool {
	return slices.ContainsFunc(files, func(f string) bool { return matches("*.safetensors", f) })
}

func chooseFolder(files []string) (c Choice, err error) {
	for _, name := range []string{"config.json", "tokenizer.json", "tokenizer_config.json"} {
		if !slices.Contains(files, name) {
			return c, fmt.Errorf("it has no %s, which is needed; choose a repository in the form of transformers, or a GGUF", name)
		}
		c.Files = append(c.Files, name)
	}
	for _, name := range []string{"generation_config.json", "chat_template.jinja", "model.safetensors.index.json"} {
		if slices.Contains(files, name) {
			c.Files = append(c.Files, name)
		}
	}
	numbered := slices.DeleteFunc(slices.Clone(files), func(f string) bool { return !numberedShard.MatchString(f) })
	isIndexed := slices.Contains(files, "model.safetensors.index.json")
	switch {
	case isIndexed && len(numbered) > 0:
		c.Files = append(c.Files, numbered...)
	case !isIndexed && slices.Contains(files, "model.safetensors"):
		c.Files = append(c.Files, "model.safetensors")
	case isIndexed: // names of its own
		c.Files = append(c.Files, slices.DeleteFunc(slices.Clone(files), func(f string) bool { return !matches("*.safetensors", f) })...)
	default:
		return c, errors.New("it has safetensors, but neither model.safetensors nor model.safetensors.index.json, so nothing tells which make up the model")
	}
	return c, nil
}

func chooseGGUF(files []string, pick string) (Choice, error) {
	all := slices.DeleteFunc(slices.Clone(files), func(f string) bool {
		return !strings.EqualFold(path.Ext(f), ".gguf") || strings.HasPrefix(strings.ToLower(path.Base(f)), "mmproj")
	})
	if len(all) == 0 {
		return Choice{}, fmt.Errorf("it has neither safetensors with a config.json nor a GGUF; these are read, other forms (%s) are not", someOf(files))
	}
	fitting := all
	if pick != "" {
		fitting = picked(all, pick)
	}
	switch {
	case len(fitting) == 0:
		return Choice{}, fmt.Errorf("none of its GGUFs is called %q; it has %s", pick, someOf(all))
	case splitGGUF.MatchString(fitting[0]):
		return Choice{}, fmt.Errorf("%s is a part of a split GGUF, which is %w; choose a file that is whole, or join the parts (llama-gguf-split --merge) and name the file", fitting[0], ErrUnsupported)
	case len(fitting) > 1:
		return Choice{}, fmt.Errorf("%d of its GGUFs fit; name one behind a colon, as in owner/name:Q4_K_M: %s", len(fitting), someOf(fitting))
	}
	return Choice{Files: fitting, GGUF: fitting[0]}, nil
}

// picked are the GGUFs that a name stands for: the file of that name, or all whose names end with it.
func picked(all []string, pick string) (fitting []string) {
	for _, f := range all {
		if strings.EqualFold(f, pick) || strings.EqualFold(path.Base(f), pick) {
			return []string{f}
		}
		stem := strings.TrimSuffix(strings.ToLower(path.Base(splitGGUF.ReplaceAllString(f, ".gguf"))), ".gguf")
		front, ends := strings.CutSuffix(stem, strings.ToLower(pick))
		if ends && (front == "" || strings.ContainsAny(front[len(front)-1:], "-._")) {
			fitting = append(fitting, f)
		}
	}
	return fitting
}

// someOf lists names, but not hundreds.
func someOf(names []string) string {
	const most = 40
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// Missing tells which of the files that a choice and its index name are not in the folder.
func (c Choice) Missing(folder string) (missing []string, err error) {
	needed := slices.Clone(c.Files)
	if c.GGUF == "" {
		files, err := shards(folder)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			needed = append(needed, filepath.Base(f))
		}
	}
	for _, name := range needed {
		if _, err := os.Stat(filepath.Join(folder, filepath.FromSlash(name))); err != nil {
			missing = append(missing, name)
		}
	}
	return missing, nil
}
