package engine

import (
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"unsafe"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/mlx/kv/pool"
	"github.com/agent-memory/agent-memory/mlx/prefix"
)

// An audit computes a request a second time, without any cache and while nothing else runs, and compares every
// logit that a token was sampled from, bit for bit. It also holds the prompt's tokens to package prefix's rule.

// mostAudits is how many requests wait to be audited at most; further ones are not audited.
const mostAudits = 64

// auditChunk is how many tokens of a prompt an audit computes in one step at most: a request that arrives waits
// for the step.
const auditChunk = 128

// AuditResult tells how an audit ended.
type AuditResult string

// The results of audits.
const (
	AuditEqual   AuditResult = "equal"
	AuditDiffers AuditResult = "differs"
	AuditDropped AuditResult = "dropped" // too many wait, or there was no memory for it
)

// audit is one request to be computed again.
type audit struct {
	id        string
	spelling  prefix.Spelling
	canonical []int32
	answers   []prefix.Span
	tokens    []kv.Token // the prompt and what was generated, as they were computed
	prompt    int
	cached    int
	sums      []uint32 // of the logits of each generated token

	blocks   []*pool.Block
	table    []Block
	computed int
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is a CRC32C over the bits of logits.
func checksum(logits []float32) uint32 {
	return crc32.Checksum(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(logits))), 4*len(logits)), castagnoli)
}

// auditor computes requests that ended a second time. The device's thread alone uses it.
type auditor struct {
	cfg      *Config
	listener Listener
	spec     Spec
	model    Model
	pool     *pool.Pool
	waiting  []*audit // to be computed again, oldest first
}

// chooseAudit marks one sequence in Config.Audit.
func (e *Engine) chooseAudit(seq *sequence, req *Request) {
	if e.cfg.Audit > 0 && seq.tenant != nil && e.submitted.Add(1)%uint64(e.cfg.Audit) == 0 {
		seq.audit = &audit{id: req.ID, spelling: req.Spelling, canonical: slices.Clone(req.Tokens), answers: req.Answers}
	}
}

// keep has a request that ended audited when nothing else runs. Where the contract claims no exactness, as for
// KV that was read in fewer bits, there is nothing to compare.
func (r *auditor) keep(seq *sequence) {
	a := seq.audit
	if a == nil || !r.spec.Storable || r.spec.Bits != 16 && seq.result.Usage.Cached > 0 {
		return
	}
	if len(r.waiting) >= mostAudits {
		r.listener.Audited(AuditDropped)
		return
	}
	a.tokens, a.prompt, a.cached = slices.Clone(seq.tokens), seq.prompt, seq.result.Usage.Cached
	r.waiting = append(r.waiting, a)
}

// step goes one step on with the oldest audit, and reports whether there was one.
func (r *auditor) step() bool {
	if len(r.waiting) == 0 {
		return false
	}
	a := r.waiting[0]
	var cause error
	done := true
	if cause = guarded(a.checkTokens); cause == nil {
		done, cause = r.goOn(a)
	}
	switch {
	case errors.Is(cause, pool.ErrFull):
		r.end(a, AuditDropped)
	case cause != nil:
		r.cfg.Logger.Error("audit_differs", "request_id", a.id, "error", cause, "prompt_tokens", a.prompt, "cached_tokens", a.cached)
		r.end(a, AuditDiffers)
	case done:
		r.end(a, AuditEqual)
	}
	return true
}

func (r *auditor) end(a *audit, result AuditResult) {
	r.free(a)
	r.waiting = r.waiting[1:]
	r.listener.Audited(result)
}

// free gives the audit's memory back; it begins anew when there is room.
func (r *auditor) free(a *audit) (freed bool) {
	for _, block := range a.blocks {
		r.pool.Release(block)
	}
	freed = len(a.blocks) > 0
	a.blocks, a.table, a.computed = nil, nil, 0
	return freed
}

// yield gives the memory of the audit under way to sequences that need it, and reports whether it had any.
func (r *auditor) yield() bool { return len(r.waiting) > 0 && r.free(r.waiting[0]) }

// goOn computes the next tokens by the kernels of their role and compares. It reports whether all is compared.
func (r *auditor) goOn(a *audit) (done bool, err error) {
	if len(a.sums) == 0 {
		return true, nil // nothing was sampled
	}
	end, logits := a.computed+1, []float32(nil)
	if !a.tokens[a.computed].Generated() {
		for most := min(a.prompt, a.computed+min(r.cfg.ChunkTokens, auditChunk)); end < most && !a.tokens[end].Generated(); {
			end++
		}
	}
	if err := r.grow(a, end); err != nil {
		return false, err
	}
	err = guarded(func() (err error) {
		logits, err = r.compute(a, end)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("compute it again: %w", err)
	}
	a.computed = end
	if at := end - a.prompt; at >= 0 && at < len(a.sums) && checksum(logits) != a.sums[at] {
		return false, fmt.Errorf("the logits of generated token %d are others without a cache", at)
	}
	return end-a.prompt+1 >= len(a.sums), nil
}

func (r *auditor) grow(a *audit, tokens int) error {
	for len(a.blocks) < blocksFor(tokens) {
		block, err := r.pool.AllocateSpare()
		if err != nil {
			return err
		}
		a.blocks, a.table = append(a.blocks, block), append(a.table, block.Memory())
	}
	return nil
}

// compute computes the tokens up to end, and returns the logits behind them if one was sampled from them.
func (r *auditor) compute(a *audit, end int) ([]float32, error) {
	if a.tokens[a.computed].Generated() {
		rows, err := r.model.Decode([]Row{{Token: a.tokens[a.computed].ID(), Position: a.computed, Table: a.table}})
		if err != nil || len(rows) != 1 {
			return nil, errors.Join(err, fmt.Errorf("the model returned %d rows", len(rows)))
		}
		return rows[0], nil
	}
	return r.model.Prefill(Chunk{
		Tokens: kv.IDs(a.tokens[a.computed:end]), Start: a.computed, Table: a.table, Logits: end == a.prompt,
	})
}
