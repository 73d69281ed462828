package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
)

// loop is the thread that owns the device. It alone touches running sequences, blocks and the model.
//
// Why it can neither deadlock nor livelock: when memory is short the youngest running sequence gives its own back,
// so the oldest always gets on; what it needs at most fits the pool, since Submit refuses anything else; and it
// ends after a bounded number of tokens.
type loop struct {
	*loaded
	cfg       *Config
	listener  Listener
	device    *device
	wake      wake
	admission *admission
	model     Model
	stopToken map[int32]bool

	memory    *memory
	restorer  *restorer
	publisher *publisher
	auditor   *auditor

	rows    []Row       // reused by decode
	batch   []*sequence // reused by decode
	scratch []candidate // reused by sampling
	charges []Charge    // reused by step
}

func newLoop(e *Engine, on *loaded, model Model) *loop {
	l := &loop{
		loaded: on, cfg: e.cfg, listener: e.listener, device: on.device, wake: e.wake, admission: e.admission, model: model,
		stopToken: map[int32]bool{},
		publisher: &publisher{cfg: e.cfg, spec: on.spec, pool: on.pool, cache: on.cache},
		auditor:   &auditor{cfg: e.cfg, listener: e.listener, spec: on.spec, model: model, pool: on.pool},
	}
	for _, token := range on.spec.StopTokens {
		l.stopToken[token] = true
	}
	short := &shortage{cfg: e.cfg, pool: on.pool}
	l.restorer = &restorer{
		cfg: e.cfg, listener: e.listener, spec: on.spec, model: model, pool: on.pool,
		planner: on.planner, slots: on.slots, shortage: short, wake: e.wake,
	}
	l.memory = &memory{
		listener: e.listener, pool: on.pool, slots: on.slots, shortage: short,
		publisher: l.publisher, restorer: l.restorer, auditor: l.auditor,
	}
	return l
}

// run steps until ctx ends and then fails what is left.
func (l *loop) run(ctx context.Context) {
	for ctx.Err() == nil {
		busy, moved := l.step() //nolint:contextcheck // looking again goes on aside, and ends with the loop
		if moved || !busy && (l.auditor.step() || l.prepare()) {
			continue
		}
		l.await(ctx, busy)
	}
	l.abandon(ctx)
}

// await waits for something new to look at: for a little only while sequences wait for blocks.
func (l *loop) await(ctx context.Context, busy bool) {
	var soon <-chan time.Time
	if busy {
		soon = time.After(5 * time.Millisecond)
	}
	select {
	case <-l.wake:
	case f := <-l.device.work:
		f()
	case <-soon:
	case <-ctx.Done():
	}
}

// prepare allocates a block ahead while there is nothing else to do, and reports whether it did. The first touch of
// fresh memory takes long, on virtual machines above all, and would be part of some request's prefill.
func (l *loop) prepare() bool {
	done, err := l.pool.AllocateAhead(l.cfg.ReadyBlocks)
	if err != nil {
		l.cfg.Logger.Warn("block_ahead_failed", "error", err)
	}
	return done
}

// step does one decode of the whole batch and at most one prefill chunk. It reports whether work is left, and whether
// any was done.
func (l *loop) step() (busy, moved bool) {
	began, step := l.cfg.Clock(), Step{Charges: l.charges[:0]}
	err := guarded(func() error {
		l.device.serve()
		l.reap()
		l.dismiss()
		l.admit()
		l.restorer.restore()
		l.restorer.resume()
		l.admission.note(l.slots.count())
		step.Rows = l.decode(&step)
		l.prefill(&step)
		return nil
	})
	if err != nil {
		l.failBatch(slices.Clone(l.slots.running), fmt.Errorf("step: %w", err))
	}
	step.Took, l.charges = l.cfg.since(began), step.Charges
	l.slots.turns.settle(l.slots.all())
	busy = l.admission.settle(l.slots.count())
	moved = step.Rows+step.Prefill > 0 || err != nil
	if moved {
		l.listener.Stepped(step)
	}
	return busy, moved
}

// reap ends the sequences that nobody waits for any more.
func (l *loop) reap() {
	for _, seq := range l.slots.all() {
		if cause := seq.stream.cancelCause(); cause != nil {
			l.end(seq, cause)
		}
	}
}

// dismiss ends the requests that have waited for a slot for as long as they may.
func (l *loop) dismiss() {
	if l.cfg.MaxWait <= 0 {
		return
	}
	for _, seq := range l.admission.queued() {
		if waited := l.cfg.since(seq.submitted); waited > l.cfg.MaxWait {
			l.end(seq, fmt.Errorf("%w: no slot was free for %v", ErrQueueFull, waited.Round(time.Second)))
		}
	}
}

// admit gives free slots to waiting sequences in their order, as far as memory allows.
func (l *loop) admit() {
	for len(l.slots.running) < l.cfg.MaxBatch {
		seq := l.slots.next()
		if seq == nil || !l.memory.hasRoom(seq) && !(l.auditor.yield() && l.memory.hasRoom(seq)) {
			return
		}
		l.slots.give(seq)
		l.restorer.matchFull(seq)
		if seq.result.Queue < 0 {
			seq.way.admitted = l.cfg.Clock()
			seq.result.Queue = seq.way.admitted.Sub(seq.submitted)
			l.listener.Admitted(seq.result.Queue)
		}
	}
}

// decode computes one token of every sequence whose next one is a sampled one. It returns how many of them were
// generated last; the others, of an earlier turn or from before the sequence lost its memory, count as the prompt's.
func (l *loop) decode(step *Step) (generated int) {
	l.batch, l.rows = l.batch[:0], l.rows[:0]
	for _, seq := range slices.Clone(l.slots.running) {
		if !seq.decodes() || !l.grow(seq, seq.computed+1) {
			continue
		}
		l.batch = append(l.batch, seq)
		l.rows = append(l.rows, Row{Token: seq.tokens[seq.computed].ID(), Position: seq.computed, Table: seq.table})
	}
	if len(l.batch) == 0 {
		return 0
	}
	began := l.cfg.Clock()
	logits, err := l.decodeRows()
	l.slots.turns.charge(l.cfg.since(began), l.batch...)
	if err != nil {
		l.failBatch(l.batch, fmt.Errorf("decode %d rows: %w", len(l.rows), err))
		return 0
	}
	for i, seq := range l.batch {
		if seq.caughtUp() {
			generated++
		} else {
			step.charge(seq.payer, 1)
		}
		seq.computed++
		l.goOn(seq, logits[i])
		l.publisher.publish(seq)
	}
	return generated
}

// grow gives the sequence blocks for n tokens, and reports whether it may go on in this step.
func (l *loop) grow(seq *sequence, n int) bool {
	goesOn, err := l.memory.grow(seq, n)
	if err != nil {
		l.fail(seq, err)
	}
	return goesOn
}

// goOn samples a token once all of the sequence's are computed. The block that this filled gets its name
// afterwards: only then is it known whether its last token ends the answer.
func (l *loop) goOn(seq *sequence, logits []float32) {
	switch {
	case seq.pending() > 0:
	case seq.maxTokens > 0:
		l.accept(seq, logits)
	default:
		seq.finish(StopLimit)
		l.end(seq, nil)
	}
}

func (l *loop) decodeRows() (logits [][]float32, err error) {
	err = guarded(func() (err error) {
		logits, err = l.model.Decode(l.rows)
		return err
	})
	if err == nil && len(logits) != len(l.rows) {
		err = fmt.Errorf("the model returned %d rows", len(logits))
	}
	return logits, err
}

// prefill computes one chunk of the foremost sequence whose prompt isn't done.
func (l *loop) prefill(step *Step) {
	seq := l.slots.nextPrefill()
	if seq == nil {
		return
	}
	chunk := l.nextChunk(seq)
	if !l.grow(seq, chunk.Start+len(chunk.Tokens)) {
		return
	}
	chunk.Table = seq.table
	began := l.cfg.Clock()
	logits, err := l.prefillChunk(chunk)
	if err != nil {
		l.fail(seq, fmt.Errorf("prefill %d tokens at %d: %w", len(chunk.Tokens), chunk.Start, err))
		return
	}
	took := l.cfg.since(began)
	l.planner.restores.measure(len(chunk.Tokens), took)
	l.slots.turns.charge(took, seq)
	step.charge(seq.payer, len(chunk.Tokens))
	seq.computed += len(chunk.Tokens)
	l.publisher.publish(seq)
	l.goOn(seq, logits)
}

// nextChunk is the next part of the prompt, up to the next token that was sampled.
func (l *loop) nextChunk(seq *sequence) Chunk {
	end := seq.computed
	for most := min(len(seq.tokens), end+l.cfg.ChunkTokens); end < most && !seq.tokens[end].Generated(); {
		end++
	}
	return Chunk{
		Tokens: kv.IDs(seq.tokens[seq.computed:end]),
		Start:  seq.computed,
		Logits: end == len(seq.tokens) && seq.maxTokens > 0,
	}
}

func (l *loop) prefillChunk(chunk Chunk) (logits []float32, err error) {
	err = guarded(func() (err error) {
		logits, err = l.model.Prefill(chunk)
		return err
	})
	return logits, err
}

// accept samples the sequence's next token and ends the sequence if that was the last.
func (l *loop) accept(seq *sequence, logits []float32) {
	done := false
	err := guarded(func() error {
		if len(logits) != l.spec.Vocabulary {
			return fmt.Errorf("the model returned %d logits for a vocabulary of %d", len(logits), l.spec.Vocabulary)
		}
		if seq.audit != nil {
			seq.audit.sums = append(seq.audit.sums, checksum(logits))
		}
		token, err := seq.sampler.sample(logits, &l.scratch)
		if err != nil {
			return err
		}
		done = seq.accept(token, l.stopToken[token])
		return nil
	})
	if err != nil {
		l.fail(seq, fmt.Errorf("choose a token: %w", err))
		return
	}
	if seq.generated() == 1 {
		seq.way.generating = l.cfg.Clock()
		seq.result.FirstToken = seq.way.generating.Sub(seq.submitted)
		l.listener.FirstText(seq.result.FirstToken)
	}
	if done {
		seq.close()
		l.end(seq, nil)
	}
}

// failBatch ends the given sequences with an error of the model.
func (l *loop) failBatch(batch []*sequence, err error) {
	for _, seq := range batch {
		l.fail(seq, err)
	}
}

// fail ends one sequence with an error of the model.
func (l *loop) fail(seq *sequence, err error) {
	l.cfg.Logger.Error("model_failed", "request_id", seq.id, "error", err)
	l.end(seq, fmt.Errorf("%w: %w", ErrModel, err))
}

// end takes the sequence out of the loop, gives its memory back and closes its stream.
func (l *loop) end(seq *sequence, err error) {
	l.slots.remove(seq)
	if !errors.Is(err, ErrModel) {
		l.publisher.publish(seq)
		l.publisher.publishTail(seq)
	}
	if err == nil {
		l.auditor.keep(seq)
	}
	chain := l.publisher.chain(seq)
	seq.giveUp()
	l.memory.release(seq)
	seq.result.Tokens, seq.result.Stages = kv.IDs(seq.tokens[seq.prompt:]), seq.stages(l.cfg.Clock())
	l.listener.Finished(Finished{ID: seq.id, Usage: seq.result.Usage, Reason: seq.result.StopReason, Err: err,
		Payer: seq.payer, Read: seq.read, Tenant: seq.name, Agent: seq.agent, Chain: chain, From: seq.from})
	seq.stream.end(seq.result, err)
}

// abandon fails all that is left. For good it refuses new requests first; when another model follows there are none.
func (l *loop) abandon(ctx context.Context) {
	if !errors.Is(context.Cause(ctx), errSwapped) {
		l.admission.drain()
	}
	for _, seq := range l.slots.all() {
		l.end(seq, ErrDraining)
	}
	l.auditor.yield()
	l.admission.settle(slotCount{})
	l.restorer.aside.Wait()
	l.flush(ctx)
	l.pool.EvictAll()
}

// flush stores what no tier has yet, and ends the cache. The device's thread goes on serving meanwhile.
func (l *loop) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.cfg.FlushFor)
	defer cancel()
	done := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		defer close(done)
		if len(l.cache.Tiers()) > 0 {
			moved, err := l.cache.Flush(ctx)
			l.cfg.Logger.Info("pool_flushed", "blocks", moved.Blocks, "bytes", moved.Bytes)
			if err != nil {
				l.cfg.Logger.Warn("pool_flush_incomplete", "error", err)
			}
		}
		l.cache.Close()
	})
	l.device.serveUntil(done)
	work.Wait()
}
