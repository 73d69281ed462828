package api

import (
	"context"

	"github.com/agent-memory/agent-memory/mlx/kv"
	"github.com/agent-memory/agent-memory/modules/agents"
)

// Locate tells for each block the names of the tiers that have it, the fastest first.
type Locate func(ctx context.Context, refs []kv.Ref) [][]string

// layout tells where the blocks of agents are.
type layout struct {
	*API
	locate Locate
}

// agentBlocks are an agent's conversations, block by block.
type agentBlocks struct {
	Conversations []conversationBlocks `json:"conversations" nullable:"false" doc:"The one used last first"`
}

type conversationBlocks struct {
	Head   string         `json:"head" doc:"Key of the last block"`
	Tokens int            `json:"tokens"`
	Blocks []locatedBlock `json:"blocks" nullable:"false" doc:"From the conversation's beginning on"`
}

type locatedBlock struct {
	Block string   `json:"block" doc:"Its key; the same in two conversations means that they share it"`
	From  int      `json:"from_token"`
	To    int      `json:"to_token"`
	Tiers []string `json:"tiers" nullable:"false" doc:"That have it, the fastest first; empty: its tokens are computed anew when they are needed"`
}

type blocksAnswer struct{ Body agentBlocks }

func (l layout) show(ctx context.Context, in *AgentPath) (*blocksAnswer, error) {
	record, err := l.registry.Written(ctx, in.Tenant, in.ID)
	if err != nil {
		return nil, l.failure(ctx, err)
	}
	answer := &blocksAnswer{agentBlocks{[]conversationBlocks{}}}
	for _, head := range record.Heads {
		answer.Body.Conversations = append(answer.Body.Conversations, l.blocksOf(ctx, head))
	}
	return answer, nil
}

// blocksOf lists a conversation's blocks with who has them.
func (l layout) blocksOf(ctx context.Context, head agents.Head) conversationBlocks {
	refs := head.Chain.Refs()
	view := conversationBlocks{Head: head.Chain.Head().String(), Tokens: head.Chain.Tokens, Blocks: []locatedBlock{}}
	places, from := l.locate(ctx, refs), 0
	for i, ref := range refs {
		block := locatedBlock{Block: ref.Key.String(), From: from, To: from + ref.Tokens, Tiers: []string{}}
		if i < len(places) {
			block.Tiers = append(block.Tiers, places[i]...)
		}
		view.Blocks, from = append(view.Blocks, block), block.To
	}
	return view
}
