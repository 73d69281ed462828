package doctor_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/doctor"
)

// want makes one check and compares.
func want(t *testing.T, check doctor.Check, state doctor.State, found string) doctor.Finding {
	t.Helper()
	finding := doctor.Examine(t.Context(), []doctor.Check{check})[0]
	if finding.State != state || !strings.Contains(finding.Found, found) || finding.Check != check.Name {
		t.Errorf("%+v; want %s, %q", finding, state, found)
	}
	if (finding.State == doctor.OK) != (finding.Advice == "") {
		t.Errorf("%+v has no advice, or too much", finding)
	}
	return finding
}

// write writes a file of a made-up file system.
func write(t *testing.T, root, name, text string) string {
	t.Helper()
	path := filepath.Join(root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheModelIsLookedFor(t *testing.T) {
	dir := t.TempDir()
	file := write(t, dir, "model.gguf", strings.Repeat("x", 3<<20))
	want(t, doctor.Model(file), doctor.OK, "3 MB")
	want(t, doctor.Model(dir), doctor.OK, "3 MB")
	want(t, doctor.Model(t.TempDir()), doctor.Problem, "empty")
	want(t, doctor.Model(dir+"/none.gguf"), doctor.Problem, "no such file")
	want(t, doctor.Model("mlx-community/gemma-2-2b-it-4bit"), doctor.Warning, "repository")
}

func TestMemoryIsThatOfTheMachineOrTheContainer(t *testing.T) {
	root := t.TempDir()
	model := write(t, root, "model", strings.Repeat("x", 1<<20))
	want(t, doctor.Memory(root, model, 1<<30), doctor.Warning, "can't be told")
	write(t, root, "proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable:    2097152 kB\n")
	want(t, doctor.Memory(root, model, 1<<30), doctor.OK, "2048 MB are available")
	want(t, doctor.Memory(root, model, 2<<30), doctor.Problem, "may be needed")
	write(t, root, "sys/fs/cgroup/memory.max", "max\n")
	want(t, doctor.Memory(root, model, 1<<30), doctor.OK, "2048 MB are available")
	write(t, root, "sys/fs/cgroup/memory.max", "1073741824\n")
	write(t, root, "sys/fs/cgroup/memory.current", "536870912\n")
	want(t, doctor.Memory(root, model, 1<<30), doctor.Problem, "512 MB are available")
}

func TestTheProcessorHasWhatIsDemanded(t *testing.T) {
	root := t.TempDir()
	want(t, doctor.Processor(root, "auto"), doctor.Warning, "can't be told")
	write(t, root, "proc/cpuinfo", "flags : sse2 avx2\n")
	want(t, doctor.Processor(root, "auto"), doctor.OK, "avx2")
	want(t, doctor.Processor(root, "avx512"), doctor.Problem, "SEMANTIC_MLX_CPU_ISA")
	write(t, root, "proc/cpuinfo", "flags : sse2 avx2 avx512bw amx_bf16\n")
	want(t, doctor.Processor(root, "amx"), doctor.OK, "amx")
	write(t, root, "proc/cpuinfo", "flags : sse2\n")
	want(t, doctor.Processor(root, "auto"), doctor.Warning, "AVX2")
}

func TestTheDiskIsWrittenTo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	free := func(string) (int64, error) { return 1 << 30, nil }
	disk := doctor.Disk{Dir: dir, Budget: 1 << 28, MinFree: 1 << 28, Free: free}
	if f := doctor.Examine(t.Context(), []doctor.Check{disk.Check()})[0]; f.State == doctor.Problem || !strings.Contains(f.Found, "a second") {
		t.Errorf("%+v", f) // a warning where the disk is slow
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
	disk.Budget = 1 << 30
	want(t, disk.Check(), doctor.Warning, "less than the budget")
	disk.MinFree = 1 << 30
	want(t, disk.Check(), doctor.Problem, "nothing would be kept")
	disk.MinFree, disk.Budget = 0, 0
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	want(t, disk.Check(), doctor.Warning, "others can reach")
	disk.Dir = write(t, dir, "file", "") + "/below"
	want(t, disk.Check(), doctor.Problem, "not a directory")
}

func TestADatabaseThatIsAwayIsToldWithoutItsPassword(t *testing.T) {
	want(t, doctor.Database("", time.Now), doctor.OK, "a file")
	f := want(t, doctor.Database("postgres://somebody:hidden@127.0.0.1:1/agents", time.Now), doctor.Problem, "connection refused")
	if strings.Contains(f.Found, "hidden") || strings.Contains(f.Found, "\n") {
		t.Error(f.Found)
	}
}

// shelf is a bucket in memory whose calls fail, or that gives back something else.
type shelf struct {
	objects                map[string][]byte
	replace, remove, spoil error
}

func (s *shelf) Replace(_ context.Context, key string, data []byte) error {
	s.objects[key] = data
	return s.replace
}

func (s *shelf) Get(_ context.Context, key string, _ []byte) ([]byte, error) {
	if s.spoil != nil {
		return []byte("something else"), nil
	}
	return s.objects[key], nil
}

func (s *shelf) Delete(_ context.Context, key string) error {
	delete(s.objects, key)
	return s.remove
}

func TestTheBucketIsWrittenReadAndLeftAsItWas(t *testing.T) {
	advise := func(err error) string { return "advice about: " + err.Error() }
	want(t, doctor.Storage(nil, advise), doctor.OK, "none")
	bucket := &shelf{objects: map[string][]byte{}}
	want(t, doctor.Storage(bucket, advise), doctor.OK, "1 MB")
	bucket.spoil = errors.New("spoilt")
	want(t, doctor.Storage(bucket, advise), doctor.Problem, "something else")
	if len(bucket.objects) != 0 {
		t.Errorf("it leaves %d objects", len(bucket.objects))
	}
	bucket.spoil, bucket.remove = nil, errors.New("may not remove")
	if f := want(t, doctor.Storage(bucket, advise), doctor.Problem, "may not remove"); f.Advice != "advice about: may not remove" {
		t.Errorf("%+v", f)
	}
	bucket.replace = errors.New("may not write")
	want(t, doctor.Storage(bucket, advise), doctor.Problem, "may not write")
}

func TestAPortIsFreeOrOursOrSomebodyElses(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, doctor.Port(address), doctor.OK, "is free")
	ours := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if ours {
			w.Header().Set("X-Request-Id", "req_1")
		}
	}))
	defer server.Close()
	want(t, doctor.Port(server.Listener.Addr().String()), doctor.OK, "already")
	ours = false
	want(t, doctor.Port(server.Listener.Addr().String()), doctor.Problem, "in use")
}
