package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/model"
	"github.com/agent-memory/agent-memory/platform/freememory"
)

// fit is how a model's memory compares with what there is.
type fit struct {
	model.Estimate
	budget int64            // for KV
	free   freememory.Limit // nothing where the system does not tell
}

// fitOf estimates a model by the settings. There is no limit where the system tells none.
func fitOf(cfg config.MLX, c model.Config, root fs.FS) (f fit, err error) {
	device, err := model.Device(c.Device)
	if err != nil {
		return f, err
	}
	f.budget = cfg.CacheBudgetMB << 20
	if f.Estimate, err = model.EstimateMemory(c, device, cfg.PrefillStepSize, cfg.MaxBatchSize); err != nil {
		return f, err
	}
	f.free, err = freememory.Read(root)
	if errors.Is(err, fs.ErrNotExist) {
		f.free, err = freememory.Limit{}, nil
	}
	return f, err
}

// problem tells why the model does not fit and what to change, or "".
func (f fit) problem() string {
	needed := f.Needed(f.budget)
	switch {
	case f.budget < 2*f.Block:
		return fmt.Sprintf("a KV budget of %s holds fewer than %d tokens of this model, at %d bytes a token; set SEMANTIC_MLX_CACHE_BUDGET_MB to %d or more",
			size(f.budget), 2*engine.BlockTokens, f.Token(), megabytes(2*f.Block))
	case f.free.Of == "" || needed <= f.free.Bytes:
		return ""
	}
	figures := fmt.Sprintf("the model needs %s: %s of weights, %s of KV budget, %s to compute with, %s for tables and the process; %s has %s left",
		size(needed), size(f.Weights), size(f.budget), size(max(f.Chunk, f.Loading-f.budget)), size(f.Tables+f.Base), f.free.Of, size(f.free.Bytes))
	return figures + "; " + f.advice()
}

// advice tells what to change so that the model fits.
func (f fit) advice() string {
	if rest := f.free.Bytes - f.Needed(0); rest >= 2*f.Block && f.free.Bytes >= f.Fixed()+f.Loading {
		return fmt.Sprintf("set SEMANTIC_MLX_CACHE_BUDGET_MB to %d or less, which holds %d tokens, or free memory", rest>>20, rest/f.Token())
	}
	widened := ""
	if f.Widened > 0 {
		widened = fmt.Sprintf(" (%s of its weights become bf16, since no panels hold their quantisation)", size(f.Widened))
	}
	return "choose a smaller model or one of fewer bits" + widened + ", or free memory"
}

// check refuses a model that does not fit, or warns where the settings say so.
func (f fit) check(cfg config.MLX, log *slog.Logger) error {
	problem := f.problem()
	if problem == "" {
		if longest := f.LongestContext(f.budget); longest < f.Context {
			log.Warn("budget_below_context", "context", f.Context, "longest", longest,
				"note", fmt.Sprintf("SEMANTIC_MLX_CACHE_BUDGET_MB of %d holds no conversation of the model's length", megabytes(f.Block*int64(f.Context)/engine.BlockTokens)))
		}
		return nil
	}
	if cfg.MemoryCheck == "warn" {
		log.Warn("model_may_not_fit", "note", problem)
		return nil
	}
	return errors.New(problem + "; SEMANTIC_MLX_MEMORY_CHECK=warn starts all the same")
}

// megabytes rounds up.
func megabytes(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }

// systemRoot is where the system tells of its memory.
func systemRoot() fs.FS { return os.DirFS("/") }
