-- +goose Up
CREATE TABLE cluster (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    secret BLOB NOT NULL
);

CREATE TABLE agents (
    tenant       TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    created      INTEGER NOT NULL, -- nanoseconds since 1970, as all times
    used         INTEGER NOT NULL,
    retain_until INTEGER NOT NULL, -- 0: not retained
    ttl          INTEGER NOT NULL, -- nanoseconds; 0: the server's
    version      INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX agents_used ON agents (used);

CREATE TABLE heads (
    tenant TEXT    NOT NULL,
    id     TEXT    NOT NULL,
    head   BLOB    NOT NULL, -- key of the chain's last block
    chain  BLOB    NOT NULL, -- as kv.Chain writes it
    used   INTEGER NOT NULL,
    PRIMARY KEY (tenant, id, head),
    FOREIGN KEY (tenant, id) REFERENCES agents (tenant, id) ON DELETE CASCADE
) WITHOUT ROWID;

-- Who needs a block: it may be deleted when nobody does.
CREATE TABLE owners (
    block  BLOB NOT NULL, -- key, which tells tenants apart
    tenant TEXT NOT NULL,
    id     TEXT NOT NULL,
    PRIMARY KEY (block, tenant, id),
    FOREIGN KEY (tenant, id) REFERENCES agents (tenant, id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX owners_agent ON owners (tenant, id);

-- +goose Down
DROP TABLE owners;
DROP TABLE heads;
DROP TABLE agents;
DROP TABLE cluster;
