package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// besides is what a process takes beside the model's weights and the pool.
const besides = 256 << 20

// Model looks whether the model's files are here. A name that is no path is taken for a repository.
func Model(id string) Check {
	return Check{"model", func(context.Context) Finding {
		bytes, err := sizeOf(id)
		switch {
		case err == nil && bytes > 0:
			return ok("%s has %s", id, megabytes(bytes))
		case err == nil:
			return problem("give SEMANTIC_MLX_MODEL_ID a folder or file with weights", "%s is empty", id)
		case errors.Is(err, fs.ErrNotExist) && regexp.MustCompile(`^[\w.-]+/[\w.-]+$`).MatchString(id) && !strings.HasSuffix(id, ".gguf"):
			return warning("the first start fetches it; that may take minutes", "%s is not a path here, and is taken for a repository of Hugging Face", id)
		}
		return problem("check SEMANTIC_MLX_MODEL_ID", "%v", err)
	}}
}

// sizeOf is what a file has, or all files of a folder.
func sizeOf(path string) (bytes int64, err error) {
	err = filepath.WalkDir(path, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && info.IsDir() {
			info, err = entry.Info()
		}
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}

// Memory looks whether the model, the pool and what comes beside have room. root is that of the file system.
func Memory(root, model string, pool int64) Check {
	return Check{"memory", func(context.Context) Finding {
		available, err := availableMemory(root)
		if err != nil {
			return warning("look at the memory yourself", "how much is available can't be told: %v", err)
		}
		weights, _ := sizeOf(model) // 0 if it is not here yet, which another check tells
		if needed := weights + pool + besides; needed > available {
			return problem("lower SEMANTIC_MLX_CACHE_BUDGET_MB, take a smaller model, or free memory",
				"%s are available, and %s may be needed (the model %s, the pool %s)", megabytes(available), megabytes(needed), megabytes(weights), megabytes(pool))
		}
		return ok("%s are available; the model has %s and the pool %s", megabytes(available), megabytes(weights), megabytes(pool))
	}}
}

// availableMemory is what the machine has, or the container if that may have less.
func availableMemory(root string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return 0, err
	}
	line := regexp.MustCompile(`(?m)^MemAvailable:\s+(\d+) kB$`).FindSubmatch(text)
	if line == nil {
		return 0, errors.New("proc/meminfo has no MemAvailable")
	}
	kilobytes, err := strconv.ParseInt(string(line[1]), 10, 64)
	if err != nil {
		return 0, err
	}
	available := kilobytes << 10
	most, unlimited := readNumber(filepath.Join(root, "sys/fs/cgroup/memory.max"))
	used, _ := readNumber(filepath.Join(root, "sys/fs/cgroup/memory.current"))
	if unlimited == nil {
		available = min(available, most-used)
	}
	return available, nil
}

func readNumber(file string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// Processor looks for the instruction sets that the kernels have a use for, and for the one that is demanded.
func Processor(root, demanded string) Check {
	return Check{"processor", func(context.Context) Finding {
		text, err := os.ReadFile(filepath.Join(root, "proc/cpuinfo"))
		if err != nil {
			return warning("look at the processor yourself", "what it can do can't be told: %v", err)
		}
		flags := strings.Fields(string(text))
		best := "plain"
		for _, set := range []struct{ name, flag string }{{"avx2", "avx2"}, {"avx512", "avx512bw"}, {"amx", "amx_bf16"}} {
			if slices.Contains(flags, set.flag) {
				best = set.name
			} else if set.name == demanded {
				return problem("set SEMANTIC_MLX_CPU_ISA=auto", "it has no %s, which SEMANTIC_MLX_CPU_ISA demands", demanded)
			}
		}
		if best == "plain" {
			return warning("take a machine with AVX2 at least", "it has neither AVX2 nor more: computing will take long")
		}
		return ok("%s is its best instruction set", best)
	}}
}
