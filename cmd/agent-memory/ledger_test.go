package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/agent-memory/agent-memory/cmd/agent-memory/config"
	"github.com/agent-memory/agent-memory/mlx/engine/enginetest"
	"github.com/agent-memory/agent-memory/modules/ledger"
)

// ledger is a page of it.
func (r *running) ledger(t *testing.T, query string) (page ledger.LedgerPage) {
	t.Helper()
	status, text := r.call(t, http.MethodGet, "/admin/ledger"+query, "operator", "")
	if err := json.Unmarshal([]byte(text), &page); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	return page
}

// counters are the sums of the node's metrics, by the names that the ledger has for them.
func (r *running) counters(t *testing.T) map[string]float64 {
	t.Helper()
	text := body(t, r.get(t, "/metrics"))
	sum := func(pattern string) (sum float64) {
		for _, line := range regexp.MustCompile(`(?m)^`+pattern+` (\S+)$`).FindAllStringSubmatch(text, -1) {
			value, err := strconv.ParseFloat(line[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += value
		}
		return sum
	}
	told := map[string]float64{
		"requests":             sum(`semantic_answers_total\{.*\}`),
		"tokens_computed":      sum(`semantic_tokens_total\{kind="prompt"\}`),
		"tokens_read":          sum(`semantic_tokens_total\{kind="cached"\}`),
		"tokens_generated":     sum(`semantic_tokens_total\{kind="generated"\}`),
		"compute_ms_avoided":   sum(`semantic_compute_avoided_seconds_total`) * 1000,
		"read_ms":              sum(`semantic_tier_block_seconds_sum\{direction="up".*\}`) * 1000,
		"disk_bytes_written":   sum(`semantic_tier_bytes_total\{direction="down",tier="disk"\}`),
		"object_calls":         sum(`semantic_object_requests_total\{.*\}`),
		"object_bytes_read":    sum(`semantic_object_bytes_total\{direction="read"\}`),
		"object_bytes_written": sum(`semantic_object_bytes_total\{direction="written"\}`),
	}
	for _, tier := range []string{"pool", "disk", "object"} {
		told["tokens_read_"+tier] = sum(`semantic_read_tokens_total\{tier="` + tier + `"\}`)
		told["byte_hours_"+tier] = sum(`semantic_tier_byte_hours_total\{tier="` + tier + `"\}`)
	}
	return told
}

// figuresOf are figures by their names in JSON.
func figuresOf(t *testing.T, f ledger.Figures) (figures map[string]float64) {
	t.Helper()
	raw, _ := json.Marshal(f)
	if err := json.Unmarshal(raw, &figures); err != nil {
		t.Fatal(err)
	}
	figures["tokens_read"] = figures["tokens_read_pool"] + figures["tokens_read_disk"] + figures["tokens_read_object"]
	return figures
}

// rowSums adds the rows of all pages up.
func (r *running) rowSums(t *testing.T, by string) map[string]float64 {
	t.Helper()
	page := r.ledger(t, "?limit=1000&by="+by)
	sums := map[string]float64{}
	for _, row := range page.Rows {
		for name, value := range figuresOf(t, row.Figures) {
			sums[name] += value
		}
	}
	for name, total := range figuresOf(t, page.Total) {
		if !isNear(total, sums[name]) {
			t.Errorf("by %s: the rows have %v %s, and the total is %v", by, sums[name], name, total)
		}
	}
	return sums
}

// isNear tells whether two numbers are equal but for the rounding of sums of fractions.
func isNear(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }

// wantSums holds the rows' sums to the node's counters once those stand still.
func (r *running) wantSums(t *testing.T) (sums map[string]float64) {
	t.Helper()
	for _, by := range []string{"agent", "tenant", "model"} {
		var before, after map[string]float64
		isQuiet := func() bool {
			before = r.counters(t)
			sums = r.rowSums(t, by)
			after = r.counters(t)
			for name := range before {
				if before[name] != after[name] && !strings.HasPrefix(name, "byte_hours") {
					return false
				}
			}
			return true
		}
		eventually(t, "counters that stand still", isQuiet)
		for name, want := range before {
			if strings.HasPrefix(name, "byte_hours") { // these go on
				if sums[name] < want*(1-1e-9) || sums[name] > after[name]*(1+1e-9) {
					t.Errorf("by %s: %s is %v, between %v and %v", by, name, sums[name], want, after[name])
				}
			} else if !isNear(sums[name], want) {
				t.Errorf("by %s: %s is %v, and the node counted %v", by, name, sums[name], want)
			}
		}
	}
	return sums
}

// bytesOnDisk are those of the files of blocks.
func (r *running) bytesOnDisk(t *testing.T) (bytes float64) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(r.cacheDir, blocksDir, "v1"), func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			if info, err := entry.Info(); err == nil {
				bytes += float64(info.Size())
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// attempt is a request that may fail.
func (r *running) attempt(t *testing.T, key, agent, text string) int {
	t.Helper()
	raw, _ := json.Marshal(map[string]any{"model": "claude-3-5-sonnet-20241022", "max_tokens": 3, "messages": []map[string]string{{"role": "user", "content": text}}})
	req, err := http.NewRequest(http.MethodPost, r.url+"/v1/messages", strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Api-Key", key)
	if agent != "" {
		req.Header.Set("X-Agent-Id", agent)
	}
	answer := send(t, req)
	_ = body(t, answer)
	return answer.StatusCode
}

// The rows' sums are the node's counters, and what a bucket, a disk and a pool have and were asked for, after requests that
// computed, read from each tier, and failed, and after evictions, deletions and faults of the bucket.
func TestTheLedgersSumsAreTheNodesCounters(t *testing.T) {
	bucket := startS3(t)
	var breaks atomic.Bool
	model := enginetest.Config{NoEnd: true, Before: func(enginetest.Call) error {
		if breaks.Load() {
			return errors.New("broken")
		}
		return nil
	}}
	r := launch(t, model, func(c *config.Config) { operated(c); bucket.use(c); c.Agent.DiskBudgetMB = 1 })
	one, two := r.makeKey(t, `{"tenant":"one"}`).Secret, r.makeKey(t, `{"tenant":"two"}`).Secret
	r.key = "operator"
	r.loadMixed(t, bucket, &breaks, one, two)

	var sums map[string]float64
	eventually(t, "a bucket that is left alone, and a tier that knows which files are gone", func() bool {
		before, _, _, _ := bucket.counts()
		sums = r.wantSums(t)
		after, _, _, _ := bucket.counts()
		return before == after && sums["bytes_disk"] == r.bytesOnDisk(t)
	})
	requests, read, written, there := bucket.counts()
	for name, want := range map[string]float64{
		"object_calls": float64(requests), "object_bytes_read": float64(read), "object_bytes_written": float64(written), "bytes_object": float64(there),
		"bytes_disk": r.bytesOnDisk(t), "bytes_pool": r.poolBytes(t),
	} {
		if sums[name] != want || want == 0 {
			t.Errorf("%s is %v, want %v", name, sums[name], want)
		}
	}
	if evicted := r.counted(t)["semantic_eviction_total"]; evicted < 3 {
		t.Errorf("blocks were evicted in %d ways only", evicted)
	}
	r.wantRows(t)
}

// loadMixed has tenants compute, read from each tier and fail, and operators move and delete what that left.
func (r *running) loadMixed(t *testing.T, bucket *s3, breaks *atomic.Bool, one, two string) {
	t.Helper()
	talk := func(agent string) string { return strings.Repeat("talk of "+agent+" ", 300) }
	want := func(key, agent, text string, status int) {
		t.Helper()
		if got := r.attempt(t, key, agent, text); got != status {
			t.Fatalf("%q: %d", agent, got)
		}
	}
	for i := range 12 { // beyond what the disk takes
		want(one, fmt.Sprint("a", i), talk(fmt.Sprint("a", i)), http.StatusOK)
	}
	want(two, "a0", talk("a0"), http.StatusOK)
	want(two, "", talk("nobody"), http.StatusOK)
	want(two, "=1+1", talk("a formula"), http.StatusOK)
	want(one, "a1", talk("a1"), http.StatusOK) // from the pool

	bucket.fail(true)
	breaks.Store(true)
	if got := r.attempt(t, one, "a2", "it breaks"); got == http.StatusOK {
		t.Errorf("a broken model answers")
	}
	breaks.Store(false)
	want(one, "a2", talk("without a bucket"), http.StatusOK)
	bucket.fail(false)
	r.moveMixed(t, one, func(agent string) { want(one, agent, talk(agent), http.StatusOK) })
}

// moveMixed evicts agents of the tenant one, has them asked again, and deletes one: each tier is read and given up from.
func (r *running) moveMixed(t *testing.T, one string, ask func(agent string)) {
	t.Helper()
	restored := func(tier string) float64 { return r.counters(t)["tokens_read_"+tier] }
	evict := func(agent, to string) {
		t.Helper()
		eventually(t, "an eviction to "+to, func() bool {
			status, _ := r.call(t, http.MethodPost, "/admin/agents/one/"+agent+"/evict", "operator", `{"to":"`+to+`"}`)
			return status == http.StatusOK
		})
	}
	evict("a11", "disk")
	ask("a11")
	evict("a3", "object")
	eventually(t, "the files to be removed beneath a server that writes others", func() bool {
		return os.RemoveAll(filepath.Join(r.cacheDir, blocksDir, "v1")) == nil
	})
	ask("a3")
	if restored("pool") == 0 || restored("disk") == 0 || restored("object") == 0 {
		t.Errorf("tokens were read from the pool %v, the disk %v, the bucket %v", restored("pool"), restored("disk"), restored("object"))
	}
	if status, text := r.call(t, http.MethodDelete, "/v1/agents/a4", one, ""); status != http.StatusAccepted {
		t.Errorf("%d %s", status, text)
	}
	if status, text := r.call(t, http.MethodPost, "/admin/pool/flush", "operator", ""); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	if status, text := r.call(t, http.MethodPost, "/admin/pool/evict", "operator", `{"bytes":20000}`); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
}

// poolBytes are the bytes of blocks in the pool while nothing runs.
func (r *running) poolBytes(t *testing.T) float64 {
	t.Helper()
	var pool struct{ Blocks int64 }
	if _, text := r.call(t, http.MethodGet, "/admin/pool", "operator", ""); json.Unmarshal([]byte(text), &pool) != nil {
		t.Fatal(text)
	}
	return float64(pool.Blocks * enginetest.BlockBytes)
}

// wantRows looks at the rows, page by page and as CSV.
func (r *running) wantRows(t *testing.T) {
	t.Helper()
	rows := map[string]ledger.LedgerRow{}
	for page := r.ledger(t, "?limit=4"); ; page = r.ledger(t, "?limit=4&cursor="+page.Next) {
		for _, row := range page.Rows {
			rows[fmt.Sprint(row.Kind, " ", row.Tenant, " ", row.Agent, " ", row.Model)] = row
		}
		if page.Next == "" {
			break
		}
	}
	if a := rows["agent one a1 memory"]; a.Requests != 2 || a.ReadPool == 0 || a.Computed == 0 || a.HoursPool <= 0 || a.DiskWritten == 0 || a.Written == 0 || a.Saved <= 0 {
		t.Errorf("%+v", a)
	}
	if a := rows["agent one a2 memory"]; a.Requests != 3 {
		t.Errorf("%+v", a)
	}
	if a := rows["agent one a11 memory"]; a.ReadDisk == 0 || a.Reading <= 0 {
		t.Errorf("%+v", a)
	}
	if a := rows["agent one a3 memory"]; a.ReadObject == 0 || a.Read == 0 {
		t.Errorf("%+v", a)
	}
	if a := rows["none two  memory"]; a.Requests != 1 || a.BytesPool == 0 || a.Written != 0 {
		t.Errorf("%+v", a)
	}
	for query, status := range map[string]int{"?cursor=!": 400, "?cursor=e30": 400, "?by=key": 422, "?format=xml": 422, "?limit=0": 422} {
		if got, text := r.call(t, http.MethodGet, "/admin/ledger"+query, "operator", ""); got != status {
			t.Errorf("%s: %d %s", query, got, text)
		}
	}
	for _, accept := range []string{"text/csv", "application/json"} {
		req, err := http.NewRequest(http.MethodGet, r.url+"/admin/ledger?limit=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", "operator")
		req.Header.Set("Accept", accept)
		answer := send(t, req)
		if got := answer.Header.Get("Content-Type"); !strings.HasPrefix(got, accept) {
			t.Errorf("asked for %s it answers with %s", accept, got)
		}
		if accept == "text/csv" {
			r.wantCSV(t, body(t, answer), len(rows))
		}
	}
}

// wantCSV looks at a table of all rows.
func (r *running) wantCSV(t *testing.T, text string, rows int) {
	t.Helper()
	table, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(table) != rows+1 {
		t.Fatalf("%d rows of %d, %v", len(table)-1, rows, err)
	}
	names := map[string]bool{}
	for _, title := range table[0] {
		names[title] = true
	}
	for title := range figuresOf(t, ledger.Figures{}) {
		if title != "tokens_read" && !names[title] {
			t.Errorf("%s is missing among %v", title, maps.Keys(names))
		}
	}
	if !strings.Contains(text, ",'=1+1,") {
		t.Error("a formula is not made harmless")
	}
}

// After a restart the blocks on the disk are their tenant's, and after a swap of models nothing is charged for the pool of the
// one that has gone.
func TestTheLedgerKnowsWhatWasThereAndWhatHasGone(t *testing.T) {
	r := swappable(t)
	r.asked(t, "a", strings.Repeat("history ", 100))
	r.durable(t, "/v1/agents/a")
	if _, err := r.command(t, "models", "load", "two"); err != nil {
		t.Fatal(err)
	}
	r.asked(t, "a", strings.Repeat("history ", 100))
	rows := map[string]ledger.LedgerRow{}
	for _, row := range r.ledger(t, "?by=model").Rows {
		rows[row.Model] = row
	}
	if one, two := rows["one"], rows["two"]; one.BytesPool != 0 || one.BytesDisk == 0 || one.HoursPool <= 0 || two.BytesPool == 0 || two.Requests != 1 {
		t.Errorf("%+v\n%+v", one, two)
	}
	r.end(t)
	again := launch(t, enginetest.Config{NoEnd: true}, func(c *config.Config) { c.Agent.CacheDir = r.cacheDir })
	again.say(t, "b", "", "hello")
	row := again.ledger(t, "?by=tenant").Rows
	if there := again.bytesOnDisk(t); len(row) == 0 || row[len(row)-1].Tenant != "default" || float64(row[len(row)-1].BytesDisk) < there/2 || there == 0 {
		t.Errorf("%v bytes lie on the disk: %+v", there, row)
	}
}
