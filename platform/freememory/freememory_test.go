package freememory_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"testing/fstest"

	"github.com/agent-memory/agent-memory/platform/freememory"
)

func tree(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal: 9000 kB\nMemFree:  10 kB\nMemAvailable:   4000 kB\n")}}
	for name, content := range files {
		all[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return all
}

func TestTheNarrowestLimitCounts(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  freememory.Limit
	}{
		"no groups": {nil, freememory.Limit{Bytes: 4000 << 10, Of: "this machine"}},
		"version 2, no limit": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "5\n",
		}, freememory.Limit{Bytes: 4000 << 10, Of: "this machine"}},
		"version 2, a group above": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "3000000\n", "sys/fs/cgroup/a/b/memory.current": "1000\n",
			"sys/fs/cgroup/a/memory.max": "2000000\n", "sys/fs/cgroup/a/memory.current": "900000\n",
			"sys/fs/cgroup/a/memory.stat": "anon 1\nfile 9\ninactive_file 300000\nactive_file 100000\n",
		}, freememory.Limit{Bytes: 1_500_000, Of: "the control group /a"}},
		"version 2, in a container": {map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000\n", "sys/fs/cgroup/memory.current": "2000\n",
		}, freememory.Limit{Bytes: 0, Of: "the control group /"}},
		"version 1": {map[string]string{
			"proc/self/cgroup": "5:devices:/x\n4:memory:/x\n0::/\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes":    "2000000\n",
			"sys/fs/cgroup/memory/x/memory.usage_in_bytes":    "500000\n",
			"sys/fs/cgroup/memory/x/memory.stat":              "inactive_file 7\ntotal_inactive_file 100000\ntotal_active_file 0\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":      "9223372036854771712\n",
			"sys/fs/cgroup/memory/memory.usage_in_bytes":      "1\n",
			"sys/fs/cgroup/devices/x/memory.limit_in_bytes":   "1\n",
			"sys/fs/cgroup/memory/other/memory.max":           "1\n",
			"sys/fs/cgroup/memory/other/memory.usage_bytes_x": "1\n",
		}, freememory.Limit{Bytes: 1_600_000, Of: "the control group /x"}},
		"nonsense": {map[string]string{"proc/self/cgroup": "\nxx\n0::/../..\n::\n"}, freememory.Limit{Bytes: 4000 << 10, Of: "this machine"}},
	} {
		if got, err := freememory.Read(tree(c.files)); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

func TestASystemWithoutTheFilesOfLinux(t *testing.T) {
	if _, err := freememory.Read(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestThisMachineHasMemory(t *testing.T) {
	if got, err := freememory.Read(os.DirFS("/")); err == nil && got.Bytes < 1<<20 {
		t.Errorf("%+v", got)
	}
}
