package vfs

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// memBlock is the unit in which Mem accounts for physical bytes, and memNames the names of a folder that fit
// in one.
const (
	memBlock = 4096
	memNames = 16
)

// ErrPowerCut is what every operation of Mem fails with between a power cut and Crash.
var ErrPowerCut = errors.New("the power is cut")

// MemConfig describes a file system in memory.
type MemConfig struct {
	Capacity int64            // physical bytes of the volume; 0: no end
	Clock    func() time.Time // for the times of changes; time.Now if nil
}

// Mem is a file system in memory that can lose power.
type Mem struct {
	cfg MemConfig

	mu    sync.Mutex
	root  *memNode
	boot  int // number of crashes so far: older open files are dead
	ops   int
	cut   int // operations until the power goes; negative: never
	locks map[*memNode]bool
}

// memNode is a file or a folder: as it is, and as a power cut leaves it.
type memNode struct {
	now, durable memState
	dir          bool
}

type memState struct {
	data  []byte
	time  time.Time
	names map[string]*memNode
}

// NewMem returns an empty file system with the folder "/".
func NewMem(cfg MemConfig) *Mem {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	m := &Mem{cfg: cfg, cut: -1, locks: map[*memNode]bool{}}
	m.root = m.newNode(true)
	return m
}

func (m *Mem) newNode(dir bool) *memNode {
	return &memNode{dir: dir, now: memState{time: m.cfg.Clock(), names: map[string]*memNode{}}}
}

// Operations is the number of operations so far, those on files included.
func (m *Mem) Operations() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops
}

// CutPowerAfter lets the given number of operations happen and fails all later ones with ErrPowerCut, until
// Crash.
func (m *Mem) CutPowerAfter(operations int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut = operations
}

// Physical is the number of bytes that all files and folders take, one with two names counted once.
func (m *Mem) Physical() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.physical()
}

func (m *Mem) physical() (total int64) {
	seen := map[*memNode]bool{}
	var add func(n *memNode)
	add = func(n *memNode) {
		if seen[n] {
			return
		}
		seen[n] = true
		total += n.physical()
		for _, child := range n.now.names {
			add(child)
		}
	}
	add(m.root)
	return total
}

func (n *memNode) physical() int64 {
	if n.dir {
		return int64(1+len(n.now.names)/memNames) * memBlock
	}
	return int64(len(n.now.data)+memBlock-1) / memBlock * memBlock
}

// begin counts an operation and takes the lock; the caller unlocks.
func (m *Mem) begin() error {
	m.mu.Lock()
	if m.cut == 0 {
		return ErrPowerCut
	}
	m.cut--
	m.ops++
	return nil
}

// find returns the file or folder of a name.
func (m *Mem) find(name string) (*memNode, error) {
	at := m.root
	for part := range strings.SplitSeq(filepath.ToSlash(filepath.Clean(name)), "/") {
		if part == "" || part == "." {
			continue
		}
		if !at.dir {
			return nil, syscall.ENOTDIR
		}
		if at = at.now.names[part]; at == nil {
			return nil, syscall.ENOENT
		}
	}
	return at, nil
}

// parent returns the folder of a name, and the name inside it.
func (m *Mem) parent(name string) (*memNode, string, error) {
	dir, err := m.find(filepath.Dir(name))
	if err != nil {
		return nil, "", err
	}
	if !dir.dir {
		return nil, "", syscall.ENOTDIR
	}
	return dir, filepath.Base(name), nil
}

// operate runs one operation under the lock and says in its error what was attempted.
func (m *Mem) operate(op, name string, do func() error) error {
	err := m.begin()
	defer m.mu.Unlock()
	if err == nil {
		err = do()
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// addNode enters a new file or folder.
func (m *Mem) addNode(name string, dir bool) (*memNode, error) {
	parent, base, err := m.parent(name)
	if err != nil {
		return nil, err
	}
	if parent.now.names[base] != nil {
		return nil, syscall.EEXIST
	}
	if m.isFullFor(memBlock) {
		return nil, syscall.ENOSPC
	}
	made := m.newNode(dir)
	parent.now.names[base] = made
	return made, nil
}

func (m *Mem) isFullFor(bytes int64) bool {
	return m.cfg.Capacity > 0 && m.physical()+bytes > m.cfg.Capacity
}

// Create implements FS.
func (m *Mem) Create(name string) (file File, err error) {
	err = m.operate("create", name, func() error {
		made, err := m.addNode(name, false)
		file = &memFile{fs: m, node: made, name: name, boot: m.boot}
		return err
	})
	return file, err
}

// Open implements FS.
func (m *Mem) Open(name string) (file File, err error) {
	err = m.operate("open", name, func() error {
		found, err := m.find(name)
		if err == nil && found.dir {
			err = ErrNotRegular
		}
		file = &memFile{fs: m, node: found, name: name, boot: m.boot}
		return err
	})
	return file, err
}

// Rename implements FS.
func (m *Mem) Rename(from, to string) error {
	return m.operate("rename", from, func() error {
		source, old, err := m.parent(from)
		if err != nil {
			return err
		}
		target, base, err := m.parent(to)
		if err != nil {
			return err
		}
		node := source.now.names[old]
		if node == nil {
			return syscall.ENOENT
		}
		if existing := target.now.names[base]; existing != nil && existing.dir {
			return syscall.EISDIR
		}
		delete(source.now.names, old)
		target.now.names[base] = node
		return nil
	})
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	return m.operate("remove", name, func() error {
		target, err := m.find(name)
		if err != nil {
			return err
		}
		if len(target.now.names) > 0 {
			return syscall.ENOTEMPTY
		}
		dir, base, err := m.parent(name)
		if err == nil {
			delete(dir.now.names, base)
		}
		return err
	})
}

// Mkdir implements FS.
func (m *Mem) Mkdir(name string) error {
	return m.operate("mkdir", name, func() error {
		if filepath.Clean(name) == string(filepath.Separator) {
			return syscall.EEXIST
		}
		_, err := m.addNode(name, true)
		return err
	})
}

// List implements FS.
func (m *Mem) List(dir string) (infos []Info, err error) {
	err = m.operate("list", dir, func() error {
		found, err := m.find(dir)
		if err != nil {
			return err
		}
		if !found.dir {
			return syscall.ENOTDIR
		}
		for _, name := range slices.Sorted(maps.Keys(found.now.names)) {
			infos = append(infos, found.now.names[name].info(name))
		}
		return nil
	})
	return infos, err
}

func (n *memNode) info(name string) Info {
	return Info{Name: name, Dir: n.dir, Size: int64(len(n.now.data)), Physical: n.physical(), ModTime: n.now.time}
}

// Stat implements FS.
func (m *Mem) Stat(name string) (info Info, err error) {
	err = m.operate("stat", name, func() error {
		found, err := m.find(name)
		if err == nil {
			info = found.info(filepath.Base(name))
		}
		return err
	})
	return info, err
}

// SetModTime implements FS.
func (m *Mem) SetModTime(name string, t time.Time) error {
	return m.operate("set time of", name, func() error {
		found, err := m.find(name)
		if err == nil {
			found.now.time = t
		}
		return err
	})
}

// SyncDir implements FS.
func (m *Mem) SyncDir(dir string) error {
	return m.operate("sync folder", dir, func() error {
		found, err := m.find(dir)
		if err == nil && !found.dir {
			err = syscall.ENOTDIR
		}
		if err == nil {
			found.durable.names = maps.Clone(found.now.names)
		}
		return err
	})
}

// Free implements FS.
func (m *Mem) Free(dir string) (free int64, err error) {
	err = m.operate("statfs", dir, func() error {
		free = 1 << 50
		if m.cfg.Capacity > 0 {
			free = max(0, m.cfg.Capacity-m.physical())
		}
		_, err := m.find(dir)
		return err
	})
	return free, err
}

// Lock implements FS. A crash frees all locks.
func (m *Mem) Lock(name string) (lock Lock, err error) {
	err = m.operate("lock", name, func() error {
		found, err := m.find(name)
		if errors.Is(err, fs.ErrNotExist) {
			found, err = m.addNode(name, false)
		}
		if err == nil && found.dir {
			err = ErrNotRegular
		}
		if err != nil {
			return err
		}
		if m.locks[found] {
			return ErrLocked
		}
		m.locks[found] = true
		lock = &memLock{fs: m, node: found, name: name, boot: m.boot}
		return nil
	})
	return lock, err
}

type memLock struct {
	fs   *Mem
	node *memNode
	name string
	boot int
}

// Held implements Lock.
func (l *memLock) Held() error {
	return l.fs.operate("check lock", l.name, func() error {
		if found, err := l.fs.find(l.name); err != nil || found != l.node {
			return errors.Join(ErrLockLost, err)
		}
		return nil
	})
}

// Close gives the lock back. It is no operation of the disk, so it works without power.
func (l *memLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	if l.boot == l.fs.boot {
		delete(l.fs.locks, l.node)
	}
	return nil
}
