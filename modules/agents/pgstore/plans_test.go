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

// fill makes 10,000 agents of ten tenants with two conversations and ten blocks each, of which some are
// shared.
const fill = `
INSERT INTO agents SELECT 'tenant' || n % 10, 'agent' || n, n, n, 0, 0, 1 FROM generate_series(1, 10000) n;
INSERT INTO heads SELECT tenant, id, decode(md5(id || h), 'hex'), '', used FROM agents, generate_series(1, 2) h;
INSERT INTO owners SELECT decode(md5((created / 3)::text || b), 'hex'), tenant, id FROM agents, generate_series(1, 10) b ON CONFLICT DO NOTHING;
INSERT INTO deletions SELECT 'op' || n, 'tenant', 'id' || n, n, n % 1000, n % 1000 > 0 FROM generate_series(0, 9999) n;
INSERT INTO nodes VALUES ('node', 'boot', now());
INSERT INTO confirmations SELECT operation, 'node', true, 0, 0, '' FROM deletions;
INSERT INTO deleted_chains SELECT operation, 0, '' FROM deletions;
INSERT INTO nodes SELECT 'node' || n, 'boot', now() FROM generate_series(1, 100) n;
INSERT INTO node_commands (node, kind, tenant, agent, tier, until, created) SELECT 'node' || 1 + n % 100, 'evict', 't', 'a', '', 0, now() FROM generate_series(1, 10000) n;
ANALYZE;`

// A question is answered through an index, and one about few agents reads few: a page in the order of names,
// or what was used in a short time.
func TestQuestionsUseIndexes(t *testing.T) {
	server := pgtest.Start(t)
	database := server.Database()
	if err := open(t, database).Close(); err != nil {
		t.Fatal(err)
	}
	server.Exec(database, fill)
	conn, err := pgx.Connect(t.Context(), database+"&plan_cache_mode=force_custom_plan") // as platform/database does
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	large := regexp.MustCompile(`Seq Scan on (agents|heads|owners|deletions|deleted_chains|confirmations|node_commands)`) // not of the few nodes
	for question, index := range questions() {
		name, values, _ := strings.Cut(question, " ")
		plan := explain(t, conn, statement(t, name), values)
		if large.MatchString(plan) || !strings.Contains(plan, index) {
			t.Errorf("%s: no %s:\n%s", question, index, plan)
		}
	}
}

// questions are queries with values, and the index that answers each.
func questions() map[string]string {
	const key, all = `decode(md5('17'), 'hex')`, `9223372036854775807, -9223372036854775808`
	return map[string]string{
		"agent 'tenant3', 'agent33'":                                     "agents_pkey",
		"agentForUpdate 'tenant3', 'agent33'":                            "agents_pkey",
		"heads 'tenant3', 'agent33'":                                     "heads_pkey",
		"headsOfMany 'tenant3', '{agent33,agent43,agent4}'":              "heads_pkey",
		"listTenant 'tenant3', '', '', '', " + all + ", 101":             "agents_pkey",
		"listTenant 'tenant3', 'agent33', '', '', " + all + ", 101":      "agents_pkey",
		"listTenant 'tenant3', '', 'agent9', 'agent:', " + all + ", 101": "agents_pkey",
		"listTenant 'tenant3', '', '', '', 20, 0, 101":                   "agents_used",
		"listAll '', '', '', " + all + ", 101":                           "agents_pkey",
		"listAll 'tenant3', 'agent33', '', " + all + ", 101":             "agents_pkey",
		"listAll '', '', '', 9223372036854775807, 9990, 101":             "agents_used",
		"updateAgent 1, 0, 0, 'tenant3', 'agent33', 1":                   "agents_pkey",
		"deleteAgent 'tenant3', 'agent33'":                               "agents_pkey",
		"dropHeads 'tenant3', 'agent33', ARRAY[" + key + "]":             "heads_pkey",
		"dropAllHeads 'tenant3', 'agent33'":                              "heads_pkey",
		"dropOwners 'tenant3', 'agent33', ARRAY[" + key + "]":            "owners_",
		"dropAllOwners 'tenant3', 'agent33'":                             "owners_agent",
		"owned ARRAY[" + key + "," + key + "]":                           "owners_pkey",
		"lastUses ARRAY[" + key + "," + key + "]":                        "owners_pkey",
		"deletion 'op33'":                          "deletions_pkey",
		"pending 'other'":                          "deletions_unsettled",
		"endDeletions 1, 30":                       "deletions_unsettled",
		"settleDeletions ":                         "deletions_unsettled",
		"forgetDeletions 3":                        "deletions_ended",
		"takeCommands 'node7', 600":                "node_commands_node",
		"forgetCommands 'node7'":                   "node_commands_node",
		"countUnnoticed 'tenant', 'id33', 'other'": "deletions_",
	}
}

// statement is a query as sqlc wrote it.
func statement(t *testing.T, name string) string {
	t.Helper()
	source, err := os.ReadFile("queries/queries.sql.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)const " + name + " = `(.*?)`").FindSubmatch(source)
	if found == nil {
		t.Fatalf("there is no query %s", name)
	}
	return string(found[1])
}

func explain(t *testing.T, conn *pgx.Conn, statement, values string) string {
	t.Helper()
	ask := "EXPLAIN EXECUTE asked"
	if values != "" {
		ask += "(" + values + ")"
	}
	results, err := conn.PgConn().Exec(t.Context(), "PREPARE asked AS "+statement+";"+ask+"; DEALLOCATE asked").ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	var plan strings.Builder
	for _, row := range results[1].Rows {
		plan.WriteString(string(row[0]) + "\n")
	}
	return plan.String()
}
