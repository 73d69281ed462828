-- +goose Up
-- What was deleted: written with the removal of the agent's record, so that a crash can't come between.
CREATE TABLE deletions (
    operation TEXT    PRIMARY KEY,
    tenant    TEXT    NOT NULL,
    id        TEXT    NOT NULL,
    created   INTEGER NOT NULL,
    ended     INTEGER NOT NULL, -- 0: blocks are still to be removed
    blocks    INTEGER NOT NULL, -- removed so far
    bytes     INTEGER NOT NULL,
    error     TEXT    NOT NULL  -- of the last attempt
) WITHOUT ROWID;

CREATE INDEX deletions_ended ON deletions (ended);

-- The deleted agent's conversations, until their blocks are removed.
CREATE TABLE deleted_chains (
    operation TEXT    NOT NULL REFERENCES deletions (operation) ON DELETE CASCADE,
    number    INTEGER NOT NULL,
    chain     BLOB    NOT NULL, -- as kv.Chain writes it
    PRIMARY KEY (operation, number)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE deleted_chains;
DROP TABLE deletions;
