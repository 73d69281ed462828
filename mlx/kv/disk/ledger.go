package disk

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agent-memory/agent-memory/platform/vfs"
)

// Physical bytes as file systems allot them. folderSlack is what the folders of one store may grow by;
// headroom stays reserved for a probe and for what the quarantine's folder grows by.
const (
	unit        = 4096
	folderSlack = 10 * unit
	headroom    = 8 * unit
	minBudget   = 32 * unit
)

// ledger counts the physical bytes of all that lies in the folder. The catalog's lock guards it.
type ledger struct {
	used     int64 // by files and folders
	reserved int64 // by writes under way, and the headroom
	folders  map[string]*dirUsage
	orphans  map[string]orphan // files without a block in the index: not yet, or never
	damaged  map[string]int64  // physical bytes of what is in quarantine, by path
	measured int               // measurements of folders begun so far
}

// dirUsage is what a folder itself takes, and whether its name is known to be durable in the folder above.
type dirUsage struct {
	physical int64
	measured int // the number of the measurement that found physical; earlier ones don't count
	durable  bool
}

// orphan is a file without a block in the index.
type orphan struct {
	physical   int64
	modTime    time.Time
	unread     bool // a block whose header will be read
	evictFirst bool // to be evicted before any block
}

func newLedger() ledger {
	return ledger{
		reserved: headroom,
		folders:  map[string]*dirUsage{},
		orphans:  map[string]orphan{},
		damaged:  map[string]int64{},
	}
}

// roomFor is what storing so many bytes may take at most: the data, the file system's own notes, the folders.
func roomFor(bytes int) int64 { return (int64(bytes)+unit-1)/unit*unit + unit + folderSlack }

func (l *ledger) folder(rel string) *dirUsage {
	f := l.folders[rel]
	if f == nil {
		f = &dirUsage{}
		l.folders[rel] = f
	}
	return f
}

// resize notes what a folder takes as the measurement of that number found it.
func (l *ledger) resize(rel string, number int, physical int64) {
	f := l.folder(rel)
	if number < f.measured {
		return
	}
	l.used += physical - f.physical
	f.physical, f.measured = physical, number
}

// dropOrphan forgets a file that is gone, and tells whether it was known.
func (l *ledger) dropOrphan(rel string) bool {
	file, known := l.orphans[rel]
	l.used -= file.physical
	delete(l.orphans, rel)
	return known
}

// addOrphan takes a file into the ledger.
func (l *ledger) addOrphan(rel string, file orphan) {
	l.dropOrphan(rel)
	l.orphans[rel] = file
	l.used += file.physical
}

// addDamaged takes a file in quarantine into the ledger.
func (l *ledger) addDamaged(rel string, physical int64) {
	l.used += physical - l.damaged[rel]
	l.damaged[rel] = physical
}

// dropDamaged forgets a file in quarantine that is gone, and tells what it took and whether it was known.
func (l *ledger) dropDamaged(rel string) (bytes int64, known bool) {
	bytes, known = l.damaged[rel]
	delete(l.damaged, rel)
	l.used -= bytes
	return bytes, known
}

// excess returns the files in quarantine that are too many or too large together, oldest first.
func (l *ledger) excess(files int, bytes int64) []string {
	names := slices.Sorted(maps.Keys(l.damaged)) // which begin with the time
	var sum int64
	for i := len(names) - 1; i >= 0; i-- {
		sum += l.damaged[names[i]]
		if len(names)-i > files || sum > bytes {
			return names[:i+1]
		}
	}
	return nil
}

// unread returns the orphans whose header was not read yet, youngest first.
func (l *ledger) unread() (files []string) {
	for rel, file := range l.orphans {
		if file.unread {
			files = append(files, rel)
		}
	}
	slices.SortFunc(files, func(a, b string) int { return l.byAge(b, a) })
	return files
}

// beginMeasurement returns the number of a measurement that begins now.
func (l *ledger) beginMeasurement() int {
	l.measured++
	return l.measured
}

// orphanOf is a block file whose header was not read yet.
func orphanOf(info vfs.Info) orphan {
	return orphan{physical: info.Physical, modTime: info.ModTime, unread: true}
}

// byAge orders orphans, oldest first.
func (l *ledger) byAge(a, b string) int {
	if c := l.orphans[a].modTime.Compare(l.orphans[b].modTime); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}
