-- +goose Up
-- Blocks that nobody owned and that are being removed: no record can come to own them meanwhile.
CREATE TABLE removals (
    block     BLOB    NOT NULL,
    holder    TEXT    NOT NULL, -- drawn for each removal
    operation TEXT    NOT NULL, -- that removes them
    until     INTEGER NOT NULL, -- then the lock ends, whatever became of its holder
    PRIMARY KEY (block, holder)
) WITHOUT ROWID;

CREATE INDEX removals_holder ON removals (holder);
CREATE INDEX removals_until ON removals (until);

-- +goose Down
DROP TABLE removals;
