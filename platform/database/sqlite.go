// Package database opens the node's database and brings its schema up to date.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// ErrRemoved says that the database's file is no longer where it was opened: what is written goes nowhere.
var ErrRemoved = errors.New("the database's file was removed or replaced")

// DB is an open database file.
type DB struct {
	*sql.DB
	path   string
	pin    *sql.Conn              // keeps the file and its log open, whatever happens to their names
	files  map[string]os.FileInfo // as they were when they were opened
	writes chan struct{}          // holds the right to write: the file's own lock starves those who wait
}

// OpenSQLite opens the database file at path, makes it if it isn't there (readable by this user only), and
// applies the migrations that it lacks.
func OpenSQLite(ctx context.Context, path string, migrations fs.FS) (db *DB, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open database %s: %w", path, err)
		}
	}()
	if err := touch(path); err != nil {
		return nil, err
	}
	opened, err := sql.Open("sqlite", address(path))
	if err != nil {
		return nil, err
	}
	db = &DB{DB: opened, path: path, writes: make(chan struct{}, 1)}
	db.writes <- struct{}{}
	err = migrate(ctx, opened, migrations)
	if err == nil {
		err = db.pinFiles(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return db, nil
}

// address is the data source: a write-ahead log that is synced at each commit, and a little patience with
// other processes: it can't be interrupted. A file that vanished is not made anew by the next connection.
func address(path string) string {
	settings := url.Values{"_pragma": {
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "busy_timeout(1000)",
	}, "_txlock": {"immediate"}, "mode": {"rw"}}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: settings.Encode()}).String()
}

// touch makes the file if it isn't there, without what is left of an earlier one's log.
func touch(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return errors.New("it is not a regular file; move it away")
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err := removeLog(path); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// removeLog deletes the log of a database that isn't there any more: it would be applied to the next one.
func removeLog(path string) error {
	for _, name := range []string{path + "-wal", path + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB, migrations fs.FS) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, migrations)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// pinFiles opens the file for good and notes which files there are.
func (d *DB) pinFiles(ctx context.Context) error {
	pin, err := d.Conn(ctx)
	if err != nil {
		return err
	}
	if _, err := pin.ExecContext(ctx, `SELECT count(*) FROM sqlite_schema`); err != nil {
		return errors.Join(err, pin.Close())
	}
	d.pin, d.files = pin, map[string]os.FileInfo{}
	for _, name := range []string{d.path, d.path + "-wal"} {
		info, err := os.Lstat(name)
		if err != nil {
			return errors.Join(err, pin.Close())
		}
		d.files[name] = info
	}
	return nil
}

// Check fails with ErrRemoved if the names no longer lead to the files that are open.
func (d *DB) Check() error {
	for name, opened := range d.files {
		if current, err := os.Lstat(name); err != nil || !os.SameFile(opened, current) {
			return fmt.Errorf("%w: %s", ErrRemoved, name)
		}
	}
	return nil
}

// Rescue writes what the open files hold to where they should be, unless somebody put another database there.
func (d *DB) Rescue(ctx context.Context) error {
	_, err := os.Lstat(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err = os.MkdirAll(filepath.Dir(d.path), 0o700); err == nil {
			err = removeLog(d.path)
		}
		if err == nil {
			_, err = d.pin.ExecContext(ctx, `VACUUM INTO ?`, d.path)
		}
		if err == nil {
			err = os.Chmod(d.path, 0o600)
		}
	case err == nil:
		_, err = d.pin.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	}
	if err != nil {
		return fmt.Errorf("rescue database %s: %w", d.path, err)
	}
	return nil
}

// Close closes the database.
func (d *DB) Close() error { return errors.Join(d.pin.Close(), d.DB.Close()) }

// Write runs f in a transaction that may write. Nothing counts as written into a file that has lost its name.
func (d *DB) Write(ctx context.Context, f func(*sql.Tx) error) error {
	select {
	case <-d.writes:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { d.writes <- struct{}{} }()
	return errors.Join(d.run(ctx, nil, f), d.Check())
}

// Read runs f in a transaction that only reads: it waits for nobody who writes.
func (d *DB) Read(ctx context.Context, f func(*sql.Tx) error) error {
	return d.run(ctx, &sql.TxOptions{ReadOnly: true}, f)
}

func (d *DB) run(ctx context.Context, how *sql.TxOptions, f func(*sql.Tx) error) error {
	tx, err := d.BeginTx(ctx, how)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
