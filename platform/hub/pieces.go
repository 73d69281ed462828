package hub

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// A download that is not whole lies beside the blobs: the file, of its full length, and a journal. Lines of the
// journal tell how much of a piece is there; the last one counts. Other clients' files end with .incomplete and
// have no holes; these have, so they are called otherwise before that end.
const (
	piecesSuffix  = ".pieces.incomplete"
	journalSuffix = ".pieces.journal.incomplete"
	// journalStep is how many bytes of a piece arrive between two lines, and so may be asked for again by a process
	// that follows one which was killed.
	journalStep = 1 << 20
)

// pieces is a file under way. Its methods may be called by several workers, each with pieces of its own.
type pieces struct {
	of     File
	name   string // of the blob
	length int64  // of a piece; the last one may be shorter
	file   *os.File

	mu      sync.Mutex
	journal *os.File
	there   []int64 // bytes of each piece that are in the file
	noted   []int64 // of those, what the journal tells
}

// openPieces goes on with the download that is there, if it is one of this file.
func (r *repository) openPieces(f File, length int64) (*pieces, error) {
	b := &pieces{of: f, name: blobName(f)}
	raw, err := r.root.ReadFile(b.name + journalSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if b.file, err = r.root.OpenFile(b.name+piecesSuffix, os.O_CREATE|os.O_RDWR, 0o644); err != nil {
		return nil, err
	}
	if info, err := b.file.Stat(); err != nil || info.Size() != f.Size || !b.readJournal(raw) {
		b.begin(length)
	}
	if b.journal, err = r.root.OpenFile(b.name+journalSuffix, os.O_CREATE|os.O_RDWR, 0o644); err == nil {
		err = errors.Join(b.file.Truncate(f.Size), b.rewrite())
	}
	if err != nil {
		_ = b.file.Close() // the first error tells
		return nil, err
	}
	return b, nil
}

// begin forgets all pieces.
func (b *pieces) begin(length int64) {
	b.length = length
	n := (b.of.Size + length - 1) / length
	b.there, b.noted = make([]int64, n), make([]int64, n)
}

// readJournal takes what a process before this one noted, and tells whether that makes sense.
func (b *pieces) readJournal(raw []byte) bool {
	lines := bytes.Split(raw, []byte("\n"))
	var size, length int64
	if n, err := fmt.Sscanf(string(lines[0]), "pieces of %d bytes, %d in all", &length, &size); n != 2 || err != nil || size != b.of.Size || length < 1 {
		return false
	}
	b.begin(length)
	for _, line := range lines[1 : len(lines)-1] { // the last one was not finished
		var i, n int64
		if _, err := fmt.Sscanf(string(line), "%d %d", &i, &n); err != nil || i < 0 || i >= int64(len(b.there)) || n < 0 || n > b.lengthOf(int(i)) {
			return false
		}
		b.there[i] = n
	}
	return true
}

// rewrite begins the journal anew with what is there.
func (b *pieces) rewrite() error {
	out := fmt.Appendf(nil, "pieces of %d bytes, %d in all\n", b.length, b.of.Size)
	for i, n := range b.there {
		if b.noted[i] = n; n > 0 {
			out = fmt.Appendf(out, "%d %d\n", i, n)
		}
	}
	if err := b.journal.Truncate(0); err != nil {
		return err
	}
	_, err := b.journal.WriteAt(out, 0)
	if err == nil {
		_, err = b.journal.Seek(0, io.SeekEnd)
	}
	return err
}

// reset makes the download one of which nothing is there.
func (b *pieces) reset() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begin(b.length)
	return b.rewrite()
}

func (b *pieces) lengthOf(i int) int64 { return min(b.length, b.of.Size-int64(i)*b.length) }

// missing are the pieces that are not whole.
func (b *pieces) missing() (all []int) {
	for i, n := range b.there {
		if n < b.lengthOf(i) {
			all = append(all, i)
		}
	}
	return all
}

// received is how many bytes are there.
func (b *pieces) received() (sum int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.there {
		sum += n
	}
	return sum
}

// span is what of a piece is missing: from its first to behind its last byte.
func (b *pieces) span(i int) (from, to int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	begin := int64(i) * b.length
	return begin + b.there[i], begin + b.lengthOf(i)
}

// add appends bytes to a piece, and notes it now and then. The file has them before the journal does.
func (b *pieces) add(i int, data []byte) error {
	from, _ := b.span(i)
	if _, err := b.file.WriteAt(data, from); err != nil {
		return permanentError{err}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.there[i] += int64(len(data))
	if b.there[i] < b.lengthOf(i) && b.there[i]-b.noted[i] < journalStep {
		return nil
	}
	b.noted[i] = b.there[i]
	if _, err := fmt.Fprintf(b.journal, "%d %d\n", i, b.there[i]); err != nil {
		return permanentError{err}
	}
	return nil
}
