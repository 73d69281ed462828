package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// connect opens a connection to the server and writes the beginning of a request.
func (s *server) connect(t *testing.T, beginning string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, beginning); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A request whose body never comes, and clients that never read, do not keep the server from ending well.
func TestTheEndWaitsForNoClientThatNeverFinishes(t *testing.T) {
	s := start(t)
	s.connect(t, "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	s.connect(t, "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
	for range 20 { // asks for pages without end and reads none of them
		conn := s.connect(t, "")
		go func() {
			_, _ = io.WriteString(conn, strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n", 10_000))
		}()
	}
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	if s.err != nil {
		t.Errorf("it ended with %v", s.err)
	}
}

// The reader of the log goes away; the server stays, answers, and ends well.
func TestTheServerOutlivesTheReaderOfItsLog(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(binary, "serve")
	command.Env = append(os.Environ(), "SEMANTIC_AGENT_CACHE_DIR="+t.TempDir(), "SEMANTIC_MLX_MODEL_ID="+model,
		"SEMANTIC_SERVER_HOST=127.0.0.1", "SEMANTIC_SERVER_PORT=0", "ANTHROPIC_API_KEY=", "SEMANTIC_SERVER_LOG_LEVEL=DEBUG", "SEMANTIC_SERVER_LOG_FILE=")
	command.Stdout, command.Stderr = writer, writer
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	_ = writer.Close() // the child has its own
	s := &server{process: command.Process, ended: make(chan struct{}), log: &logged{}}
	go func() { s.err = command.Wait(); close(s.ended) }()
	t.Cleanup(func() { _ = s.process.Kill(); <-s.ended })
	for lines := bufio.NewScanner(reader); s.url == "" && lines.Scan(); {
		if _, rest, found := strings.Cut(lines.Text(), "address="); found {
			s.url = "http://" + strings.Fields(rest)[0]
		}
	}
	_ = reader.Close()
	s.await(t, "ready", func() bool { return s.ready(t) == http.StatusOK })
	answer, err := s.whole(t.Context(), "What is the capital of France?", 5)
	if err != nil || answer == nil {
		t.Errorf("%v", err)
	}
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	if s.err != nil {
		t.Errorf("it ended with %v", s.err)
	}
}

// Probes of HTTP/1.0 name no host, and are answered on a server without keys too.
func TestProbesWithoutAHostAreAnswered(t *testing.T) {
	s := start(t)
	for path, want := range map[string]string{
		"/health/live": "200", "/health/ready": "200", "/health/startup": "200", "/metrics": "200", "/": "403", "/v1/agents": "403", "/admin/pool": "403",
	} {
		line, err := bufio.NewReader(s.connect(t, "GET "+path+" HTTP/1.0\r\n\r\n")).ReadString('\n')
		if err != nil || !strings.Contains(line, " "+want+" ") {
			t.Errorf("%s: %q, %v; want %s", path, line, err, want)
		}
	}
}

// ask sends a body and returns the answer with its status.
func (s *server) ask(t *testing.T, path, body string) (int, map[string]any) {
	t.Helper()
	answer, err := http.Post(s.url+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var fields map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&fields); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, fields
}

// Bodies of 30 MB that can't fit are refused alike on every path, in the words that clients know, and leave
// the server little larger than it was.
func TestABodyThatCannotFitCostsLittle(t *testing.T) {
	s := start(t)
	size, most := 30<<20, 256 // megabytes beside the model and its pool; it was over 3,000
	if raceFlag() != nil {
		size, most = 4<<20, 8192 // the race detector's own memory is many times that of the server
	}
	turn := func(role, content string) string { return fmt.Sprintf(`{"role":%q,"content":%s}`, role, content) }
	quoted := func(text string) string { return `"` + text + `"` }
	before := s.peak(t)
	for _, body := range []struct{ name, turns string }{
		{"one word", turn("user", quoted(strings.Repeat("A", size)))},
		{"words", turn("user", quoted(strings.Repeat("word ", size/5)))},
		{"marks", turn("user", quoted(strings.Repeat("<|im_end|>", size/10)))},
		{"escapes", turn("user", quoted(strings.Repeat(`\u0041`, size/6)))},
		{"spaces", turn("user", quoted(strings.Repeat(" ", size)+"a"))},
		{"answer", turn("user", `"a"`) + "," + turn("assistant", quoted(strings.Repeat("b", size))) + "," + turn("user", `"a"`)},
		{"turns", strings.Repeat(turn("user", `"a"`)+","+turn("assistant", `"b"`)+",", 49_990) + turn("user", `"a"`)},
		{"blocks", turn("user", "["+strings.Repeat(`{"type":"text","text":"one two three"},`, 99_990)+`{"type":"text","text":"a"}]`)},
		{"just not refused by its size", turn("user", quoted(strings.Repeat("A", 4<<20)))},
	} {
		for _, path := range []string{"/v1/messages", "/v1/messages/count_tokens", "/admin/explain"} {
			status, answer := s.ask(t, path, fmt.Sprintf(`{"model":"claude-x","max_tokens":64000,"messages":[%s]}`, body.turns))
			if said := fmt.Sprint(answer); status != http.StatusBadRequest || !strings.Contains(said, "prompt is too long: ") || !strings.Contains(said, " tokens > 8192 maximum") {
				t.Errorf("%s: %s: %d %.300s", path, body.name, status, said)
			}
		}
		t.Logf("%s: the server took %d MB more", body.name, s.peak(t)-before)
	}
	if more := s.peak(t) - before; more > most {
		t.Errorf("the server took %d MB more than before; the most is %d", more, most)
	}
}

// peak is the most memory that the process ever had, in megabytes.
func (s *server) peak(t *testing.T) (megabytes int) { return s.memory(t, "VmHWM:") }

// memory is a figure of the process in /proc, in megabytes.
func (s *server) memory(t *testing.T, name string) (megabytes int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), name)
	if _, err := fmt.Sscan(rest, &megabytes); err != nil {
		t.Fatal(err)
	}
	return megabytes / 1024
}

// An answer that may be longer than the window ends with it; its parts and the counted prompt add up.
func TestAnswersEndWithTheWindowOfARealModel(t *testing.T) {
	s := start(t, "SEMANTIC_MLX_CACHE_BUDGET_MB=24")
	// A budget of four blocks, and a text that this model goes on with for ever.
	count := `"model":"claude-x","temperature":0,"messages":[{"role":"user","content":"Say ha without end."},` +
		`{"role":"assistant","content":"` + strings.Repeat("ha ha ha ha ", 30) + `ha"}]}`
	_, counted := s.ask(t, "/v1/messages/count_tokens", "{"+count)
	for _, most := range []string{"32000", "64000", "128000"} {
		status, answer := s.ask(t, "/v1/messages", `{"max_tokens":`+most+","+count)
		usage, _ := answer["usage"].(map[string]any)
		if status != http.StatusOK || answer["stop_reason"] != "model_context_window_exceeded" {
			t.Fatalf("max_tokens %s: %d %.500v", most, status, fmt.Sprint(answer))
		}
		read, _ := usage["cache_read_input_tokens"].(float64)
		input, _ := usage["input_tokens"].(float64)
		made, _ := usage["output_tokens"].(float64)
		if read+input != counted["input_tokens"] || int(read+input+made)%256 != 0 {
			t.Errorf("usage %v, counted %v", usage, counted)
		}
	}
}

// Every odd body is refused with its place before any work; the server is the same afterwards.
func TestTextThatIsNoneIsRefusedWithItsPlace(t *testing.T) {
	s := start(t)
	for body, place := range map[string]string{
		`{"model":"claude-x","max_tokens":1,"messages":[{"role":"user","content":"x\ud800"}]}`:                                             "messages.0.content",
		"{\"model\":\"claude-x\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":\"x\xff\"}]}":                               "messages.0.content",
		`{"model":"claude-x","max_tokens":1,"metadata":{"user_id":"x\ud800"},"messages":[{"role":"user","content":"x"}]}`:                  "metadata.user_id",
		`{"model":"claude-x","max_tokens":1,"output_config":{"format":{"type":"json_schema"}},"messages":[{"role":"user","content":"x"}]}`: "output_config.format.schema",
	} {
		if status, answer := s.ask(t, "/v1/messages", body); status != http.StatusBadRequest || !strings.Contains(fmt.Sprint(answer), place) {
			t.Errorf("%s: %d %v", body, status, answer)
		}
	}
	if status, answer := s.ask(t, "/v1/agents", `{"id":"x\ud800"}`); status != http.StatusBadRequest {
		t.Errorf("an agent: %d %v", status, answer)
	}
	for _, path := range []string{"/v1/completions/x", "/v1/responses/resp_x", "/v1/embeddings", "/v1/chat/completions/x"} {
		status, answer := s.ask(t, path, `{}`)
		inner, _ := answer["error"].(map[string]any)
		if _, hasCode := inner["code"]; status != http.StatusNotFound || !hasCode || inner["message"] == nil || answer["type"] != nil {
			t.Errorf("%s: %d %v", path, status, answer)
		}
	}
}
