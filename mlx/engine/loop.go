package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// loop is the thread that owns the device. It alone touches running sequences, blocks and the model.
//
// Why it can neither deadlock nor livelock: when memory is short the youngest running sequence gives its own back,
// so the oldest always gets on; what it needs at most fits the pool, since Submit refuses anything else; and it
// ends after a bounded number of tokens.
type loop struct {
	*Engine
	model     Model
	stopToken map[int32]bool

	aside sync.WaitGroup // what looks for preempted sequences

	running   []*sequence // with a slot, oldest first
	preempted []*sequence // waiting for a slot again, oldest first

	short time.Time // since when memory is short but for blocks that are on their way to a lower tier

	rows    []Row       // reused by decode
	batch   []*sequence // reused by decode
	scratch []candidate // reused by sampling
}

func newLoop(e *Engine, model Model) *loop {
	l := &loop{Engine: e, model: model, stopToken: map[int32]bool{}}
	for _, token := range e.spec.StopTokens {
		l.stopToken[token] = true
	}
	return l
}

// run steps until ctx ends and then fails what is left.
func (l *loop) run(ctx context.Context) {
	for ctx.Err() == nil {
		busy, moved := l.step()
		if moved || !busy && l.prepare() {
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
	case f := <-l.device:
		f()
	case <-soon:
	case <-ctx.Done():
	}
}

// prepare allocates a block ahead while there is nothing else to do, and reports whether it did. The first touch of
// fresh memory takes long, on virtual machines above all, and would be part of some request's prefill.
func (l *loop) prepare() bool {
	done, err := l.pool.Prepare(l.cfg.ReadyBlocks)
	if err != nil {
		l.cfg.Logger.Warn("block_ahead_failed", "error", err)
	}
	return done
}

// step does one decode of the whole batch and at most one prefill chunk. It reports whether work is left, and whether
// any was done.
func (l *loop) step() (busy, moved bool) {
	began, step := time.Now(), Step{}
	err := guarded(func() error {
		l.serve()
		l.reap()
		l.admit()
		l.restore()
		l.note(len(l.running), len(l.preempted))
		step.Rows = l.decode()
		step.Prefill = l.prefill()
		return nil
	})
	if err != nil {
		l.failBatch(slices.Clone(l.running), fmt.Errorf("step: %w", err))
	}
	step.Took = time.Since(began)
	busy = l.settle(len(l.running), len(l.preempted))
	moved = step.Rows+step.Prefill > 0 || err != nil
	if moved {
		l.listener.Stepped(step)
	}
	return busy, moved
}

// reap ends the sequences that nobody waits for any more.
func (l *loop) reap() {
	for _, seq := range slices.Concat(l.running, l.preempted, l.queued()) {
		if cause := seq.stream.cancelCause(); cause != nil {
			l.end(seq, cause)
		}
	}
}

// admit gives free slots to waiting sequences in the order of their age, as far as memory allows.
func (l *loop) admit() {
	for len(l.running) < l.cfg.MaxBatch {
		seq := l.next()
		if seq == nil || !l.hasRoom(seq) {
			return
		}
		l.forget(seq)
		l.running = insertByAge(l.running, seq)
		l.match(seq)
		if seq.result.Queue < 0 {
			seq.result.Queue = time.Since(seq.submitted)
			l.listener.Admitted(seq.result.Queue)
		}
	}
}

// next is the oldest waiting sequence, or nil.
func (l *loop) next() *sequence {
	if len(l.preempted) > 0 {
		return l.preempted[0]
	}
	if queue := l.queued(); len(queue) > 0 {
		return queue[0]
	}
	return nil
}

// decode computes one token of every sequence whose prompt is done, and returns how many there were.
func (l *loop) decode() int {
	l.batch, l.rows = l.batch[:0], l.rows[:0]
	for _, seq := range slices.Clone(l.running) {
		if !seq.decoding() || !l.grow(seq, len(seq.tokens)) {
			continue
		}
		l.batch = append(l.batch, seq)
		l.rows = append(l.rows, Row{Token: seq.tokens[seq.computed], Position: seq.computed, Table: seq.table})
	}
	if len(l.batch) == 0 {
		return 0
	}
	logits, err := l.decodeRows()
	if err != nil {
		l.failBatch(l.batch, fmt.Errorf("decode %d rows: %w", len(l.rows), err))
		return 0
	}
	for i, seq := range l.batch {
		seq.computed++
		l.seal(seq)
		l.accept(seq, logits[i])
	}
	return len(l.batch)
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

// prefill computes one chunk of the oldest sequence whose prompt isn't done, and returns its length.
func (l *loop) prefill() int {
	at := slices.IndexFunc(l.running, func(s *sequence) bool { return s.ready && !s.decoding() })
	if at < 0 {
		return 0
	}
	seq := l.running[at]
	l.resume(seq)
	chunk := l.nextChunk(seq)
	if !l.grow(seq, chunk.Start+len(chunk.Tokens)) {
		return 0
	}
	chunk.Table = seq.table
	began := time.Now()
	logits, err := l.prefillChunk(chunk)
	if err != nil {
		l.fail(seq, fmt.Errorf("prefill %d tokens at %d: %w", len(chunk.Tokens), chunk.Start, err))
		return 0
	}
	l.measure(len(chunk.Tokens), time.Since(began))
	seq.computed += len(chunk.Tokens)
	l.seal(seq)
	switch {
	case chunk.Logits:
		l.accept(seq, logits)
	case seq.maxTokens == 0 && seq.pending() == 0:
		seq.finish(StopMaxTokens)
		l.end(seq, nil)
	}
	return len(chunk.Tokens)
}

// nextChunk is the next part of the prompt. A sequence that was preempted computes its generated tokens anew as
// well, all but the last, which is decoded.
func (l *loop) nextChunk(seq *sequence) Chunk {
	until := len(seq.tokens)
	if seq.generated() > 0 {
		until--
	}
	end := min(until, seq.computed+l.cfg.ChunkTokens)
	return Chunk{
		Tokens: seq.tokens[seq.computed:end],
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
		seq.result.FirstToken = time.Since(seq.submitted)
		l.listener.FirstText(seq.result.FirstToken)
	}
	if done {
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
	l.forget(seq)
	if !errors.Is(err, ErrModel) {
		l.sealTail(seq)
	}
	chain := l.keep(seq)
	seq.giveUp()
	l.release(seq)
	seq.result.Tokens = seq.tokens[seq.prompt:]
	l.listener.Finished(Finished{ID: seq.id, Usage: seq.result.Usage, Reason: seq.result.StopReason, Err: err,
		Tenant: seq.name, Agent: seq.agent, Chain: chain, From: seq.from})
	seq.stream.end(seq.result, err)
}

// abandon refuses new requests and fails all that are left.
func (l *loop) abandon(ctx context.Context) {
	l.startDrain()
	for _, seq := range slices.Concat(l.running, l.preempted, l.queued()) {
		l.end(seq, ErrDraining)
	}
	l.settle(0, 0)
	l.aside.Wait()
	l.flush(ctx)
	l.pool.Trim()
}

// queued is the queue as it is now.
func (l *loop) queued() []*sequence {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.queue)
}

// forget removes the sequence from whichever list it is in.
func (l *loop) forget(seq *sequence) {
	is := func(other *sequence) bool { return other == seq }
	l.running = slices.DeleteFunc(l.running, is)
	l.preempted = slices.DeleteFunc(l.preempted, is)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = slices.DeleteFunc(l.queue, is)
}

func insertByAge(list []*sequence, seq *sequence) []*sequence {
	at, _ := slices.BinarySearchFunc(list, seq, func(a, b *sequence) int { return cmp.Compare(a.age, b.age) })
	return slices.Insert(list, at, seq)
}
