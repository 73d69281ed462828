package ledger

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"pgregory.net/rapid"
)

// clock is a time that stands until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newClocked(most int) (*Ledger, *clock) {
	c := &clock{time.Unix(1_700_000_000, 0)}
	return newLedger(c.now, most), c
}

func spaceOf(n int) kv.Space {
	return kv.Space{Fingerprint: kv.Fingerprint{1}, Salt: kv.SaltID{byte(n + 1)}}
}

// sums adds all rows up.
func sums(l *Ledger) (sum amounts) {
	l.each(func(_ name, a *amounts) { sum.take(a, l.now()) })
	return sum
}

// Whatever is charged, and whoever falls out, all rows together are the node's own sums to the last byte and nanosecond, and
// no row holds less than nothing.
func TestTheRowsSumsAreTheNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, c := newClocked(3)
		type block struct {
			payer kv.Payer
			space kv.Space
			tier  string
			bytes int64
		}
		var there []block
		payers := []kv.Payer{nil}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			c.at = c.at.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "time")))
			p := rapid.SampledFrom(payers).Draw(t, "payer")
			tenant := rapid.IntRange(0, 5).Draw(t, "tenant")
			amount := rapid.Int64Range(0, 1<<40).Draw(t, "amount")
			tier := rapid.SampledFrom([]string{"pool", "disk", "object"}).Draw(t, "tier")
			switch rapid.SampledFrom([]string{"ask", "finish", "compute", "fetch", "store", "call", "enter", "leave"}).Draw(t, "what") {
			case "ask":
				agent := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "agent")
				payers = append(payers, l.Payer(fmt.Sprint("t", tenant), agent, "m", spaceOf(tenant)))
			case "finish":
				l.Finish(p, Finished{Generated: 3, Read: map[string]int{tier: int(amount)}, Avoided: time.Duration(amount)})
			case "compute":
				l.Compute(p, int(amount))
			case "fetch":
				l.Fetch(p, spaceOf(tenant), time.Duration(amount))
			case "store":
				l.Store(p, spaceOf(tenant), tier, amount)
			case "call":
				l.Call(p, amount, 2*amount)
			case "enter":
				there = append(there, block{p, spaceOf(tenant), tier, amount})
				l.Meter(tier).Entered(p, spaceOf(tenant), amount)
			case "leave":
				if len(there) > 0 {
					last := there[len(there)-1]
					there = there[:len(there)-1]
					l.Meter(last.tier).Left(last.payer, last.space, last.bytes)
				}
			}
		}
		got, want := sums(l), amounts{}
		want.take(&l.total, l.now())
		if got != want {
			t.Fatalf("the rows have %+v, the node %+v", got, want)
		}
		l.each(func(n name, a *amounts) {
			for i, h := range a.held {
				if h.bytes < 0 {
					t.Fatalf("%+v has %d bytes in tier %d", n, h.bytes, i)
				}
			}
		})
		if l.agents.Len() > 3 || l.tenants.Len() > 3 {
			t.Fatalf("%d agents and %d tenants have rows", l.agents.Len(), l.tenants.Len())
		}
	})
}

// An agent that was not seen for long is one of its tenant's others, with what it had and what is charged to it still. One
// that comes back begins anew.
func TestWhoFallsOutIsOneOfTheOthers(t *testing.T) {
	l, c := newClocked(2)
	first := l.Payer("t", "first", "m", spaceOf(0))
	l.Compute(first, 10)
	l.Meter("disk").Entered(first, spaceOf(0), 1000)
	c.at = c.at.Add(time.Hour)
	for _, agent := range []string{"second", "third"} {
		l.Payer("t", agent, "m", spaceOf(0))
	}
	l.Compute(first, 5)
	l.Compute(l.Payer("t", "first", "m", spaceOf(0)), 1)
	c.at = c.at.Add(time.Hour)
	l.Meter("disk").Left(first, spaceOf(0), 1000)
	rows := map[string]Figures{}
	for _, row := range l.book(byAgent).rows {
		rows[string(row.Kind)+" "+row.Agent] = row.Figures
	}
	if others := rows["others "]; others.Computed != 15 || others.HoursDisk != 2000 || others.BytesDisk != 0 {
		t.Errorf("the others: %+v", others)
	}
	if again := rows["agent first"]; again.Computed != 1 || again.HoursDisk != 0 {
		t.Errorf("the agent that came back: %+v", again)
	}
	if _, there := rows["agent second"]; there {
		t.Error("the agent seen before all others has a row still")
	}
}

// Blocks that lay on the disk before are their tenant's, once it has asked.
func TestWhatWasThereBeforeIsTheTenants(t *testing.T) {
	l, c := newClocked(10)
	l.Meter("disk").Entered(nil, spaceOf(4), 500)
	c.at = c.at.Add(time.Hour)
	if rows := l.book(byTenant).rows; len(rows) != 1 || rows[0].Kind != KindNone || rows[0].HoursDisk != 500 {
		t.Errorf("%+v", rows)
	}
	l.Compute(l.Payer("late", "a", "m", spaceOf(4)), 7)
	for v, kind := range map[view]Kind{byTenant: KindTenant, byModel: KindModel} {
		rows := l.book(v).rows
		if last := rows[len(rows)-1]; last.Kind != kind || last.Computed != 7 || last.HoursDisk != 500 || last.Tenant+last.Model == "" {
			t.Errorf("by %s: %+v", v, rows)
		}
	}
}

// Byte-hours of years of terabytes are exact.
func TestByteHoursDoNotOverflow(t *testing.T) {
	l, c := newClocked(10)
	for range 3 {
		l.Meter("disk").Entered(nil, spaceOf(0), 1<<42)
		c.at = c.at.Add(10_000 * time.Hour)
	}
	if got, want := l.ByteHours()["disk"], float64(6*10_000)*(1<<42); got != want {
		t.Errorf("%g, want %g", got, want)
	}
}

// What spreadsheets would take for a formula is text; numbers stay numbers.
func TestCSVIsHarmless(t *testing.T) {
	var rows []LedgerRow
	for _, agent := range []string{"=1+1", "+x", "-x", "@x", "\tx", "\rx", "plain", "a,\"b\"\n=c", ""} {
		rows = append(rows, LedgerRow{Kind: KindAgent, Tenant: "t", Agent: agent, Figures: Figures{Saved: -1.5, HoursDisk: 1e21}})
	}
	var text strings.Builder
	if err := writeCSV(&text, rows); err != nil {
		t.Fatal(err)
	}
	table, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	if err != nil || len(table) != len(rows)+1 {
		t.Fatalf("%v\n%s", err, text.String())
	}
	column := map[string]int{}
	for i, title := range table[0] {
		column[title] = i
	}
	for i, want := range []string{"'=1+1", "'+x", "'-x", "'@x", "'\tx", "'\rx", "plain", "a,\"b\"\n=c", ""} {
		cells := table[i+1]
		if got := cells[column["agent"]]; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if cells[column["restore_ms_saved"]] != "-1.5" || cells[column["byte_hours_disk"]] != "1000000000000000000000" {
			t.Errorf("%q", cells)
		}
	}
}
