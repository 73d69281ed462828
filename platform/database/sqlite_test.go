package database

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

func schema() fs.FS {
	return fstest.MapFS{"1_a.sql": {Data: []byte("-- +goose Up\nCREATE TABLE things (name TEXT PRIMARY KEY);\n")}}
}

func open(t *testing.T, path string) *DB {
	t.Helper()
	db, err := OpenSQLite(t.Context(), path, schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func insert(t *testing.T, db *DB, name string) {
	t.Helper()
	if _, err := db.Exec(`INSERT INTO things VALUES (?)`, name); err != nil {
		t.Fatal(err)
	}
}

func things(t *testing.T, db *DB) string {
	t.Helper()
	var all string
	if err := db.QueryRow(`SELECT coalesce(group_concat(name, ' ' ORDER BY name), '') FROM things`).Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// Whatever of the database's files is removed or replaced, Check tells, and Rescue puts what was written
// back, but not over another database that somebody put there.
func TestARemovedDatabaseIsRescued(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(path string) error
		want  string
	}{
		"file":          {func(path string) error { return os.Remove(path) }, "a b"},
		"log":           {func(path string) error { return os.Remove(path + "-wal") }, "a b"},
		"both":          {func(path string) error { return errors.Join(os.Remove(path), os.Remove(path+"-wal")) }, "a b"},
		"folder":        {func(path string) error { return os.RemoveAll(filepath.Dir(path)) }, "a b"},
		"moved":         {func(path string) error { return os.Rename(path, path+".old") }, "a b"},
		"moved folder":  {func(path string) error { return os.Rename(filepath.Dir(path), filepath.Dir(path)+".old") }, "a b"},
		"another's":     {func(path string) error { return replace(t, path) }, "other"},
		"emptied by mv": {func(path string) error { return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600)) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dir", "a.db")
			db := open(t, path)
			insert(t, db, "a")
			if err := db.Check(); err != nil {
				t.Fatal(err)
			}
			insert(t, db, "b")
			if err := c.spoil(path); err != nil {
				t.Fatal(err)
			}
			if err := db.Check(); !errors.Is(err, ErrRemoved) {
				t.Errorf("check: %v", err)
			}
			_ = db.Rescue(t.Context()) // of a log that somebody else's database has now nothing can be saved
			_ = db.Close()
			again := open(t, path)
			if got := things(t, again); got != c.want {
				t.Errorf("there is %q, want %q", got, c.want)
			}
			insert(t, again, "c")
		})
	}
}

// replace puts another database in the place of this one.
func replace(t *testing.T, path string) error {
	other := open(t, path+".other")
	insert(t, other, "other")
	if err := other.Close(); err != nil {
		return err
	}
	return errors.Join(os.Remove(path+"-wal"), os.Remove(path+"-shm"), os.Rename(path+".other", path))
}

func TestWhatIsNoFileIsNoDatabase(t *testing.T) {
	if _, err := OpenSQLite(t.Context(), t.TempDir(), schema()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}
