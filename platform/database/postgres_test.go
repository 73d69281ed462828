package database

import (
	"strings"
	"testing"
)

// What can't be read or reached is told without the password.
func TestABadURLIsToldWithoutItsPassword(t *testing.T) {
	for _, address := range []string{
		"postgres://user:se cret@host/db", "postgres://user:secret@host:port/db", "postgres://user:secret@127.0.0.1:1/db?connect_timeout=1",
		"postgres://user:secret@[::1/db", "postgres://user:secret@host/db?pool_max_conns=secret", "postgres://user:secret@127.0.0.1:1/db?sslmode=secret",
		"postgres://user:%zzsecret@host/db",
	} {
		pool, err := Postgres{URL: address, Migrations: schema()}.Open(t.Context())
		if err == nil {
			pool.Close()
			t.Errorf("%s was opened", address)
		} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "cret@") {
			t.Errorf("the password is told: %v", err)
		}
	}
}

func TestOnlyURLsOfPostgresAreTakenForSuch(t *testing.T) {
	for address, want := range map[string]bool{
		"postgres://h/d": true, "postgresql://h/d": true, "Postgres://h/d": true, "": false, "mysql://h/d": false, "h/d": false, "postgres": false,
		"postgres:\x00": false,
	} {
		if IsPostgres(address) != want {
			t.Errorf("%q: want %v", address, want)
		}
	}
}

// The server's own bounds hold unless the URL has others.
func TestTheURLMayHaveOtherBounds(t *testing.T) {
	for address, want := range map[string][2]any{
		"postgres://h/d": {int32(maxConnections), "10000"},
		"postgres://h/d?pool_max_conns=3&statement_timeout=7": {int32(3), "7"},
	} {
		cfg, err := Postgres{URL: address}.settings()
		if err != nil || cfg.MaxConns != want[0] || cfg.ConnConfig.RuntimeParams["statement_timeout"] != want[1] || cfg.ConnConfig.ConnectTimeout == 0 {
			t.Errorf("%s: %+v, %v", address, cfg, err)
		}
	}
}
