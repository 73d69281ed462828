//go:build postgres

package pgstore_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/agent-memory/agent-memory/platform/database/pgtest"
	"github.com/jackc/pgx/v5"
)

// Every question about keys is answered through an index: each cold request asks one, and every node asks twice a
// second.
func TestQuestionsAboutKeysUseIndexes(t *testing.T) {
	server := pgtest.Start(t)
	address := server.Database()
	open(t, address)
	server.Exec(address, `
		INSERT INTO api_keys SELECT 'key' || n, decode(md5(n::text), 'hex'), '', '', 'tenant' || n % 10, '', n, 0, n % 2, 0
		FROM generate_series(1, 10000) n;
		ANALYZE;`)
	source, err := os.ReadFile("queries/queries.sql.go")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), address+"&plan_cache_mode=force_custom_plan") // as platform/database does
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for question, index := range map[string]string{
		"find (decode(md5('17'), 'hex'))":    "api_keys_hash_key",
		"key ('key17')":                      "api_keys_pkey",
		"list ('key17', 101)":                "api_keys_pkey",
		"listTenant ('tenant3', '', 101)":    "api_keys_",
		"held ('{key17,key18,key19}')":       "api_keys_pkey",
		"revoke (1, 'key17')":                "api_keys_pkey",
		"noteUses ('{1,2}','{key17,key18}')": "api_keys_pkey",
	} {
		name, values, _ := strings.Cut(question, " ")
		found := regexp.MustCompile("(?s)const " + name + " = `(.*?)`").FindSubmatch(source)
		if found == nil {
			t.Fatalf("there is no query %s", name)
		}
		ask := "PREPARE asked AS " + string(found[1]) + "; EXPLAIN EXECUTE asked" + values + "; DEALLOCATE asked"
		results, err := conn.PgConn().Exec(t.Context(), ask).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", question, err)
		}
		plan := ""
		for _, row := range results[1].Rows {
			plan += string(row[0]) + "\n"
		}
		if strings.Contains(plan, "Seq Scan on api_keys") || !strings.Contains(plan, index) {
			t.Errorf("%s: no %s:\n%s", question, index, plan)
		}
	}
}
