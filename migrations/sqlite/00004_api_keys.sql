-- +goose Up
-- API keys beside those of the settings. A key itself is nowhere: only its SHA-256, and its first characters.
CREATE TABLE api_keys (
    id      TEXT    PRIMARY KEY, -- in the order in which keys were made
    hash    BLOB    NOT NULL UNIQUE,
    prefix  TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    tenant  TEXT    NOT NULL,
    scopes  TEXT    NOT NULL, -- separated by spaces
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL, -- 0: never
    revoked INTEGER NOT NULL, -- 0: not
    used    INTEGER NOT NULL  -- 0: never
) WITHOUT ROWID;

CREATE INDEX api_keys_tenant ON api_keys (tenant, id);

-- A number that grows with every key that is made or revoked, in the same transaction.
CREATE TABLE api_keys_revision (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
);

INSERT INTO api_keys_revision (one, revision) VALUES (1, 0);

-- +goose Down
DROP TABLE api_keys_revision;
DROP TABLE api_keys;
