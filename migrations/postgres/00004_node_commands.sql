-- +goose Up
-- What one node was asked to do with an agent and the others are to do as well. A node takes its rows away as it does what they say.
CREATE TABLE node_commands (
    number  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node    TEXT   NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    kind    TEXT   NOT NULL, -- evict, prefetch or retain
    tenant  TEXT   NOT NULL,
    agent   TEXT   NOT NULL,
    tier    TEXT   NOT NULL, -- that has the agent before it is evicted; empty: any
    until   BIGINT NOT NULL, -- end of a retention, nanoseconds since 1970; 0: now
    created TIMESTAMPTZ NOT NULL
);

CREATE INDEX node_commands_node ON node_commands (node);

-- +goose Down
DROP TABLE node_commands;
