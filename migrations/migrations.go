// Package migrations holds the databases' schemas, one folder of goose migrations for each kind of database.
package migrations

import "embed"

// SQLite are the migrations of the embedded database.
//
//go:embed sqlite/*.sql
var SQLite embed.FS

// Postgres are the migrations of the database that several nodes share. They only add, so that nodes of the version
// before go on working: see docs/operations.md.
//
//go:embed postgres/*.sql
var Postgres embed.FS
