// Package migrations holds the databases' schemas, one folder of goose migrations for each kind of database.
package migrations

import "embed"

// SQLite are the migrations of the embedded database.
//
//go:embed sqlite/*.sql
var SQLite embed.FS
