package messages

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"github.com/agent-memory/agent-memory/mlx/engine"
	"github.com/agent-memory/agent-memory/mlx/prompt"
	"github.com/agent-memory/agent-memory/platform/auth"
	"github.com/agent-memory/agent-memory/platform/log"
)

// bodyPatience is how long a client may take to send its body.
const bodyPatience = time.Minute

const (
	// mostInFlight is how many bytes of bodies are held at once, from their first byte until their tokens are known.
	mostInFlight = 64 << 20
	// largeBody is the size from which on bodies are decoded and rendered one after the other: meanwhile each takes
	// several times its size.
	largeBody = 1 << 20
	// countedFor is how many times the model's context a prompt is counted for; beyond, it is told to be too long at once.
	countedFor = 4
)

var errCrowded = errors.New("the bodies of other requests take all the memory that there is for them")

// intake bounds the memory of requests on their way to tokens.
type intake struct {
	large chan struct{} // holds a token while a large body is worked on

	mu   sync.Mutex
	held int64
}

func newIntake() *intake { return &intake{large: make(chan struct{}, 1)} }

func (i *intake) hold(n int64) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.held+n > mostInFlight {
		return false
	}
	i.held += n
	return true
}

// share is one request's part of the intake.
type share struct {
	*intake
	from  io.Reader
	bytes int64
	turn  bool
}

// Read implements io.Reader. What was read is held.
func (h *share) Read(p []byte) (int, error) {
	n, err := h.from.Read(p)
	if !h.hold(int64(n)) {
		return 0, errCrowded
	}
	h.bytes += int64(n)
	return n, err
}

// await waits for the turn of a large body.
func (h *share) await(ctx context.Context) error {
	if h.bytes < largeBody {
		return nil
	}
	select {
	case h.large <- struct{}{}:
		h.turn = true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// release gives everything back.
func (h *share) release() {
	if h.turn {
		<-h.large
	}
	h.hold(-h.bytes)
}

// Take reads a request off its connection, has the surface understand it, counts it for its caller, and renders its
// prompt. fail answers a request that can't be had. The bool tells whether it can.
func (s *Service) Take(w http.ResponseWriter, r *http.Request, fail func(error), understand func(raw []byte) (*Request, error)) (*Request, bool) {
	body := &share{intake: s.intake, from: r.Body}
	defer body.release()
	req, err := s.understood(w, r, body, understand)
	if err != nil {
		fail(err)
		return nil, false
	}
	if !s.cfg.Limiter.LimitCaller(w, r, req.Agent) {
		return nil, false
	}
	if agent := AgentOf(r); agent != "" {
		req.Agent = agent
	}
	req.ID, req.Retain = log.RequestID(r.Context()), retention(req.Conversation)
	req.Tenant = cmp.Or(req.Tenant, auth.From(r.Context()).Tenant)
	if heldAt(req) != "" { // a form holds all of the answer
		req.Conversation.Effort = prompt.ThinkNot
	}
	req.Conversation.Turns = s.checkThoughts(req.Tenant, req.Conversation.Turns)
	if req.Prompt, err = s.tokenise(r.Context(), req); err != nil {
		fail(err)
		return nil, false
	}
	if req.form, err = s.forms.compile(req, req.spec); err != nil {
		fail(err)
		return nil, false
	}
	if req.followed = s.follow(req); req.PromptOnly {
		return req, true
	}
	s.tellDivergence(w, r, req)
	req.begun, req.parent = begunText(req.Conversation), parentOf(r)
	for _, tool := range req.Conversation.Tools {
		req.tools = append(req.tools, tool.Name)
	}
	req.Conversation = prompt.Conversation{} // the prompt has taken its place
	return req, true
}

func (s *Service) understood(w http.ResponseWriter, r *http.Request, body *share, understand func([]byte) (*Request, error)) (*Request, error) {
	raw, err := read(w, r, body)
	if err != nil {
		return nil, err
	}
	return understand(raw)
}

// read takes a body of JSON off the connection, and waits for its turn if it is large.
func read(w http.ResponseWriter, r *http.Request, body *share) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, Refuse(NotJSON, "content-type: send the body as application/json")
	}
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(bodyPatience)) // not every connection has deadlines
	raw, err := readWhole(body, r.ContentLength)
	_ = connection.SetReadDeadline(time.Time{})
	if err != nil {
		return nil, readError(err)
	}
	return raw, body.await(r.Context())
}

// earlyBuffer is how much of a body must have come before the room that its length asks for is taken.
const earlyBuffer = 1 << 20

// readWhole reads a body of which the client says how long it is; -1 where it does not say. Where it says so the body lies in
// memory once, which it does not where a buffer grows as it comes.
func readWhole(body io.Reader, length int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(body, earlyBuffer))
	if err != nil || len(raw) < earlyBuffer {
		return raw, err
	}
	buffer := bytes.NewBuffer(make([]byte, 0, max(length, earlyBuffer)+bytes.MinRead))
	buffer.Write(raw)
	_, err = buffer.ReadFrom(body)
	return buffer.Bytes(), err
}

func readError(err error) error {
	if errors.Is(err, errCrowded) {
		return err
	}
	var tooLong *http.MaxBytesError
	if errors.As(err, &tooLong) {
		return Refuse(TooLarge, "the body is longer than %d bytes", tooLong.Limit)
	}
	return Refuse(Invalid, "the body could not be read to its end")
}

// bounded returns an error of a prompt that was not counted to its end with what the model takes.
func bounded(err error, most int) error {
	var tooLong *engine.TooLongError
	if errors.As(err, &tooLong) {
		return &engine.TooLongError{Prompt: tooLong.Prompt, Context: most, Least: tooLong.Least}
	}
	return err
}
