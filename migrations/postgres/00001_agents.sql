-- +goose Up
-- Names are ordered by their bytes, as Go orders them. Times are nanoseconds since 1970, 0 for none.
CREATE TABLE cluster (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    secret BYTEA NOT NULL
);

CREATE TABLE agents (
    tenant       TEXT COLLATE "C" NOT NULL,
    id           TEXT COLLATE "C" NOT NULL,
    created      BIGINT NOT NULL,
    used         BIGINT NOT NULL,
    retain_until BIGINT NOT NULL, -- 0: not retained
    ttl          BIGINT NOT NULL, -- nanoseconds; 0: the server's
    version      BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX agents_used ON agents (used);

CREATE TABLE heads (
    tenant TEXT COLLATE "C" NOT NULL,
    id     TEXT COLLATE "C" NOT NULL,
    head   BYTEA  NOT NULL, -- key of the chain's last block
    chain  BYTEA  NOT NULL, -- as kv.Chain writes it
    used   BIGINT NOT NULL,
    PRIMARY KEY (tenant, id, head),
    FOREIGN KEY (tenant, id) REFERENCES agents (tenant, id) ON DELETE CASCADE
);

-- Who needs a block: it may be deleted when nobody does.
CREATE TABLE owners (
    block  BYTEA NOT NULL, -- key, which tells tenants apart
    tenant TEXT COLLATE "C" NOT NULL,
    id     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (block, tenant, id),
    FOREIGN KEY (tenant, id) REFERENCES agents (tenant, id) ON DELETE CASCADE
);

CREATE INDEX owners_agent ON owners (tenant, id);

-- What was deleted: written with the removal of the agent's record, so that a crash can't come between.
CREATE TABLE deletions (
    operation TEXT   PRIMARY KEY,
    tenant    TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    ended     BIGINT NOT NULL, -- 0: a node that lives has blocks to remove
    settled   BOOLEAN NOT NULL -- no known node has anything to do any more
);

CREATE INDEX deletions_ended ON deletions (ended);
CREATE INDEX deletions_unsettled ON deletions (created) WHERE NOT settled;
CREATE INDEX deletions_agent ON deletions (tenant, id);

-- The nodes that ever used this database.
CREATE TABLE nodes (
    id        TEXT PRIMARY KEY, -- of its cache folder
    boot      TEXT NOT NULL,    -- of its process
    heartbeat TIMESTAMPTZ NOT NULL
);

-- How far each node is with a deletion. Without a row it has not taken notice.
CREATE TABLE confirmations (
    operation TEXT    NOT NULL REFERENCES deletions (operation) ON DELETE CASCADE,
    node      TEXT    NOT NULL,
    done      BOOLEAN NOT NULL,
    blocks    BIGINT  NOT NULL, -- that it removed so far
    bytes     BIGINT  NOT NULL,
    error     TEXT    NOT NULL, -- of its last attempt
    PRIMARY KEY (operation, node)
);

-- The deleted agent's conversations, until all nodes have removed their blocks.
CREATE TABLE deleted_chains (
    operation TEXT    NOT NULL REFERENCES deletions (operation) ON DELETE CASCADE,
    number    INTEGER NOT NULL,
    chain     BYTEA   NOT NULL, -- as kv.Chain writes it
    PRIMARY KEY (operation, number)
);

-- Blocks that nobody owned and that are being removed: no record can come to own them meanwhile.
CREATE TABLE removals (
    block     BYTEA NOT NULL,
    holder    TEXT  NOT NULL, -- drawn for each removal
    operation TEXT  NOT NULL, -- that removes them
    until     TIMESTAMPTZ NOT NULL, -- then the lock ends, whatever became of its holder
    PRIMARY KEY (block, holder)
);

CREATE INDEX removals_holder ON removals (holder);
CREATE INDEX removals_until ON removals (until);

-- +goose Down
DROP TABLE removals;
DROP TABLE deleted_chains;
DROP TABLE confirmations;
DROP TABLE nodes;
DROP TABLE deletions;
DROP TABLE owners;
DROP TABLE heads;
DROP TABLE agents;
DROP TABLE cluster;
