package api

import (
	"time"

	"github.com/agent-memory/agent-memory/modules/agents"
)

// agent is a record as clients see it.
type agent struct {
	ID          string         `json:"id"`
	Tenant      string         `json:"tenant,omitempty" doc:"For operators only"`
	Created     time.Time      `json:"created_at"`
	Used        time.Time      `json:"last_used_at"`
	RetainUntil *time.Time     `json:"retain_until,omitempty"`
	TTL         float64        `json:"ttl_seconds,omitempty" doc:"Unused for so long it is deleted; without it the server's setting holds"`
	Tokens      int            `json:"tokens" doc:"Of its longest conversation"`
	Heads       []conversation `json:"conversations" nullable:"false"`
	Damaged     int            `json:"damaged,omitempty" doc:"Parts of its record that can't be read; its next use leaves them out"`
	Tiers       []holding      `json:"tiers,omitempty" nullable:"false" doc:"What each tier holds, the fastest first; not in lists"`
}

type conversation struct {
	Head   string    `json:"head" doc:"Key of the last block"`
	Tokens int       `json:"tokens"`
	Blocks int       `json:"blocks"`
	Used   time.Time `json:"last_used_at"`
}

type holding struct {
	Tier    string `json:"tier"`
	Blocks  int    `json:"blocks" doc:"Distinct blocks, those shared with other agents included"`
	Bytes   int64  `json:"bytes"`
	Tokens  int    `json:"tokens" doc:"That can be read from this tier alone, of the longest conversation"`
	Durable int    `json:"durable_tokens" doc:"The same, as far as it survives a power cut; 0 in the pool"`
}

func (a *API) viewOf(record agents.Record, tenantToo bool) agent {
	view := agent{
		ID: record.ID, Created: record.Created, Used: record.Used, TTL: record.TTL.Seconds(), Tokens: record.Tokens(), Damaged: record.Damaged,
		Heads: []conversation{},
	}
	if tenantToo {
		view.Tenant = record.Tenant
	}
	if record.RetainUntil.After(a.clock()) {
		view.RetainUntil = &record.RetainUntil
	}
	for _, head := range record.Heads {
		view.Heads = append(view.Heads, conversation{
			Head: head.Chain.Head().String(), Tokens: head.Chain.Tokens, Blocks: len(head.Chain.Refs()), Used: head.Used,
		})
	}
	return view
}

func (a *API) holdings(record agents.Record) []holding {
	var all []holding
	for i, h := range a.registry.Holdings(record) {
		view := holding{Tier: h.Tier, Blocks: h.Blocks, Bytes: h.Bytes, Tokens: h.Tokens}
		if i > 0 {
			view.Durable = h.Tokens
		}
		all = append(all, view)
	}
	return all
}

type agentAnswer struct {
	Status int
	Body   agent
}
