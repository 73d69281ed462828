package disk

import (
	"errors"
	"io/fs"
	"time"
)

// Physical bytes as file systems allot them. folderSlack is what the folders of one store may grow by; headroom
// stays reserved for a probe and for what the quarantine's folder grows by.
const (
	unit        = 4096
	folderSlack = 10 * unit
	headroom    = 8 * unit
	minBudget   = 32 * unit
)

// ledger counts the physical bytes of all that lies in the folder. Tier.mu guards it.
type ledger struct {
	used       int64 // by files and folders
	reserved   int64 // by writes under way, and the headroom
	folders    map[string]*folder
	loose      map[string]loose // files at which the index has no block: not yet, or never
	quarantine map[string]int64 // physical bytes of damaged blocks by path
	tickets    int
}

// folder is a folder's own bytes, and whether its name is known to be durable in the folder above.
type folder struct {
	physical int64
	ticket   int // of the look that found physical; older looks don't count
	durable  bool
}

// loose is a file without a block in the index.
type loose struct {
	physical int64
	modTime  time.Time
	unread   bool // a block whose header will be read
	first    bool // to be evicted before any block
}

func newLedger() ledger {
	return ledger{
		reserved:   headroom,
		folders:    map[string]*folder{},
		loose:      map[string]loose{},
		quarantine: map[string]int64{},
	}
}

// roomFor is what storing so many bytes may take at most: the data, the file system's own notes, the folders.
func roomFor(bytes int) int64 { return (int64(bytes)+unit-1)/unit*unit + unit + folderSlack }

func (l *ledger) folder(rel string) *folder {
	f := l.folders[rel]
	if f == nil {
		f = &folder{}
		l.folders[rel] = f
	}
	return f
}

// resize notes a folder's bytes as a look with the ticket found them.
func (l *ledger) resize(rel string, ticket int, physical int64) {
	f := l.folder(rel)
	if ticket < f.ticket {
		return
	}
	l.used += physical - f.physical
	f.physical, f.ticket = physical, ticket
}

// dropLoose forgets a loose file that is gone, and tells whether it was known.
func (l *ledger) dropLoose(rel string) bool {
	file, known := l.loose[rel]
	l.used -= file.physical
	delete(l.loose, rel)
	return known
}

// addLoose takes a file into the count.
func (l *ledger) addLoose(rel string, file loose) {
	l.dropLoose(rel)
	l.loose[rel] = file
	l.used += file.physical
}

// measure looks at what folders take now. Looks are numbered before they are made, so that the latest look, which
// saw the latest change, wins whichever comes back last.
func (t *Tier) measure(folders ...string) {
	for _, rel := range folders {
		t.mu.Lock()
		t.ledger.tickets++
		ticket := t.ledger.tickets
		t.mu.Unlock()
		info, err := t.cfg.FS.Stat(t.at(rel))
		gone := errors.Is(err, fs.ErrNotExist)
		if err != nil && !gone {
			info.Physical = unit // cannot be told now; the next start counts again
		}
		t.mu.Lock()
		t.ledger.resize(rel, ticket, info.Physical)
		t.mu.Unlock()
	}
}

// makeFolders makes the folders above a path as far as this process does not know them to be durable.
func (t *Tier) makeFolders(rel string) error {
	above := "."
	for _, dir := range foldersOf(rel) {
		if !t.isDurable(dir) {
			if err := t.makeFolder(above, dir); err != nil {
				return err
			}
		}
		above = dir
	}
	return nil
}

func (t *Tier) makeFolder(above, dir string) error {
	if err := t.cfg.FS.Mkdir(t.at(dir)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := t.cfg.FS.SyncDir(t.at(above)); err != nil {
		return err
	}
	t.setDurable(dir, true)
	t.measure(dir, above)
	return nil
}

func (t *Tier) isDurable(dir string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ledger.folder(dir).durable
}

func (t *Tier) setDurable(dir string, durable bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ledger.folder(dir).durable = durable
}
