package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
)

// s3 is a server of one bucket in memory, as far as a node uses it. It counts what it is asked.
type s3 struct {
	*httptest.Server

	mu            sync.Mutex
	objects       map[string][]byte
	requests      int
	read, written int64
	failing       bool
}

// startS3 runs one until the test ends.
func startS3(t *testing.T) *s3 {
	t.Helper()
	s := &s3{objects: map[string][]byte{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

// use has a server keep its blocks there.
func (s *s3) use(c *config.Config) {
	c.S3 = config.S3{Endpoint: s.URL, Bucket: "bucket", AccessKey: "key", SecretKey: "secret"}
}

// fail has every request fail, or succeed again.
func (s *s3) fail(is bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = is
}

// counts are the requests so far, the bytes of objects read and written, and those of the blocks that are there.
func (s *s3) counts() (requests int, read, written, there int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, data := range s.objects {
		if strings.HasPrefix(key, "v1/") {
			there += int64(len(data))
		}
	}
	return s.requests, s.read, s.written, there
}

func (s *s3) serve(w http.ResponseWriter, r *http.Request) {
	data, err := objectIn(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/bucket"), "/")
	there, found := s.objects[key]
	switch {
	case err != nil || s.failing:
		refuse(w, http.StatusBadRequest, "InvalidRequest")
	case r.Method == http.MethodHead:
	case r.Method == http.MethodPut && found && r.Header.Get("If-None-Match") == "*":
		s.written += int64(len(data))
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodPut:
		s.objects[key] = data
		s.written += int64(len(data))
		w.Header().Set("ETag", `"1"`)
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case key == "":
		s.list(w, r)
	case !found:
		refuse(w, http.StatusNotFound, "NoSuchKey")
	default:
		w.Header().Set("ETag", `"1"`)
		counted := &counting{ResponseWriter: w}
		http.ServeContent(counted, r, "", time.Unix(1_700_000_000, 0), bytes.NewReader(there))
		s.read += counted.bytes
	}
}

// list answers with the names behind a place. The caller holds mu.
func (s *s3) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	most, _ := strconv.Atoi(query.Get("max-keys"))
	var page strings.Builder
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if strings.HasPrefix(key, query.Get("prefix")) && key > query.Get("start-after") && most > 0 {
			most--
			fmt.Fprintf(&page, "<Contents><Key>%s</Key><Size>%d</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>", key, len(s.objects[key]))
		}
	}
	fmt.Fprintf(w, "<ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated>%s</ListBucketResult>", page.String())
}

// counting counts the bytes of an answer.
type counting struct {
	http.ResponseWriter
	bytes int64
}

// Write implements io.Writer.
func (c *counting) Write(data []byte) (int, error) {
	n, err := c.ResponseWriter.Write(data)
	c.bytes += int64(n)
	return n, err
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
}

// objectIn is what a request sends, which comes in signed chunks: size;signature, a line's end, the bytes, a line's end.
func objectIn(r *http.Request) (data []byte, err error) {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return io.ReadAll(r.Body)
	}
	for lines := bufio.NewReader(r.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, err
		}
		length, _, _ := strings.Cut(strings.TrimSpace(line), ";")
		size, err := strconv.ParseInt(length, 16, 64)
		if err != nil || size == 0 {
			return data, err
		}
		chunk := make([]byte, size+2)
		if _, err := io.ReadFull(lines, chunk); err != nil {
			return nil, err
		}
		data = append(data, chunk[:size]...)
	}
}
