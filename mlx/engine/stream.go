package engine

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
)

// Stream is the answer to one request as it grows. The engine never waits for its reader: text that isn't read yet
// is joined into one piece. One goroutine may read it.
type Stream struct {
	changed chan struct{} // holds a token whenever there is something new to look at
	started chan struct{} // closed when the request got its slot, or ended without one
	once    sync.Once     // closes started

	mu     sync.Mutex
	text   []byte
	told   []Told // of tokens, since they were taken last
	ended  bool
	err    error
	result Result

	cancelled atomic.Pointer[error] // why nobody wants the answer any more
	unwatch   func() bool           // stops watching the context of Submit
}

func newStream() *Stream {
	return &Stream{changed: make(chan struct{}, 1), started: make(chan struct{})}
}

// watch cancels the stream when the context ends.
func (s *Stream) watch(ctx context.Context) {
	s.unwatch = context.AfterFunc(ctx, func() { s.cancel(context.Cause(ctx)) })
}

// Next waits for text and returns all there is. It returns io.EOF after the last text of a finished answer, the
// reason if the answer failed, and the context's error if ctx ends first.
func (s *Stream) Next(ctx context.Context) (string, error) {
	for {
		text, err := s.take()
		if text != "" || err != nil {
			return text, err
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// Begun waits until the request has its slot, and so until it is known how much of its prompt is cached, or has ended,
// or ctx has. It returns what is known.
func (s *Stream) Begun(ctx context.Context) Usage {
	select {
	case <-s.started:
	case <-ctx.Done():
	}
	return s.Result().Usage
}

// begin says that the request has got its slot.
func (s *Stream) begin(known Usage) {
	s.mu.Lock()
	s.result.Usage = known
	s.mu.Unlock()
	s.once.Do(func() { close(s.started) })
}

// Result returns what the request left, once Next has returned io.EOF. After a failure it holds what was reached.
func (s *Stream) Result() Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.result
}

// Close tells the engine that nobody wants the rest. It may be called at any time, and more than once.
func (s *Stream) Close() { s.cancel(context.Canceled) }

func (s *Stream) take() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.text) > 0 {
		text := string(s.text)
		s.text = s.text[:0]
		return text, nil
	}
	if !s.ended {
		return "", nil
	}
	if s.err != nil {
		return "", s.err
	}
	return "", io.EOF
}

func (s *Stream) cancel(cause error) { s.cancelled.CompareAndSwap(nil, &cause) }

// cancelCause returns why the request was cancelled, or nil.
func (s *Stream) cancelCause() error {
	if cause := s.cancelled.Load(); cause != nil {
		return *cause
	}
	return nil
}

// add appends text to the answer.
func (s *Stream) add(text string) {
	if text == "" {
		return
	}
	s.mu.Lock()
	s.text = append(s.text, text...)
	s.mu.Unlock()
	s.signal()
}

// tell notes how likely the answer's next token was. Its text may come later.
func (s *Stream) tell(t Told) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, t)
}

// Told returns how likely the tokens were that came since it was called last, if the request asks for that.
func (s *Stream) Told() []Told {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told
	s.told = nil
	return told
}

// end closes the answer with its result and, if it failed, the reason.
func (s *Stream) end(result Result, err error) {
	s.unwatch()
	s.mu.Lock()
	s.ended, s.err, s.result = true, err, result
	s.mu.Unlock()
	s.once.Do(func() { close(s.started) })
	s.signal()
}

func (s *Stream) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
