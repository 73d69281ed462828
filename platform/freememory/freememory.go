// Package freememory tells how much memory this process can still take: what the system has, and what the control
// groups of the process leave of it. Files that are only cached count as free.
package freememory

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// Limit is how much is left, and of what.
type Limit struct {
	Bytes int64
	Of    string // for people: "this machine", "the control group /x"
}

// Read finds the narrowest limit by the files of Linux under root, which is the file system's. The error wraps
// fs.ErrNotExist where there are none.
func Read(root fs.FS) (Limit, error) {
	least, err := ofMachine(root)
	if err != nil {
		return least, fmt.Errorf("find out how much memory is free: %w", err)
	}
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return least, nil //nolint:nilerr // a kernel without control groups has none that limit
	}
	for line := range strings.Lines(string(groups)) {
		for _, l := range ofGroup(root, strings.TrimSpace(line)) {
			if l.Bytes < least.Bytes {
				least = l
			}
		}
	}
	return least, nil
}

func ofMachine(root fs.FS) (Limit, error) {
	raw, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return Limit{}, err
	}
	kilobytes, ok := field(raw, "MemAvailable:")
	if !ok {
		return Limit{}, fmt.Errorf("proc/meminfo tells no MemAvailable: %w", fs.ErrNotExist)
	}
	return Limit{Bytes: kilobytes << 10, Of: "this machine"}, nil
}

// form is how one version of control groups names its files.
type form struct{ folder, limit, used, inactive, active string }

// ofGroup reads the limits of a line of proc/self/cgroup, "ID:CONTROLLERS:PATH", and of the groups above it.
func ofGroup(root fs.FS, line string) (limits []Limit) {
	_, rest, _ := strings.Cut(line, ":")
	controllers, group, ok := strings.Cut(rest, ":")
	f := form{"sys/fs/cgroup", "memory.max", "memory.current", "inactive_file", "active_file"}
	switch {
	case !ok:
		return nil
	case controllers == "memory":
		f = form{"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "total_active_file"}
	case controllers != "":
		return nil
	}
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		if left, ok := f.left(root, path.Join(f.folder, at)); ok {
			limits = append(limits, Limit{left, "the control group " + at})
		}
		if at == "/" {
			return limits
		}
	}
}

// left is what a group may still take; false if it has no limit or isn't there.
func (f form) left(root fs.FS, folder string) (int64, bool) {
	limit, ok := number(root, path.Join(folder, f.limit))
	if !ok || limit > math.MaxInt64/2 {
		return 0, false
	}
	used, ok := number(root, path.Join(folder, f.used))
	if !ok {
		return 0, false
	}
	if stat, err := fs.ReadFile(root, path.Join(folder, "memory.stat")); err == nil {
		inactive, _ := field(stat, f.inactive)
		active, _ := field(stat, f.active)
		used -= inactive + active
	}
	return max(limit-max(used, 0), 0), true
}

// number reads a file that holds one. "max" is none.
func number(root fs.FS, name string) (int64, bool) {
	raw, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	return n, err == nil
}

// field is the number behind a name at the beginning of a line.
func field(raw []byte, name string) (int64, bool) {
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == name {
			n, err := strconv.ParseInt(words[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
