-- +goose Up
-- What a next version might add under the rules of docs/operations.md: columns that may be empty or have a default, a table,
-- an index. Only the image of e2e/images/next.sh has it.
ALTER TABLE agents ADD COLUMN label TEXT;
ALTER TABLE heads ADD COLUMN weight BIGINT NOT NULL DEFAULT 1;
ALTER TABLE owners ADD COLUMN since TIMESTAMPTZ NOT NULL DEFAULT now();
ALTER TABLE deletions ADD COLUMN asked_by TEXT;
ALTER TABLE nodes ADD COLUMN zone TEXT;
ALTER TABLE confirmations ADD COLUMN since TIMESTAMPTZ NOT NULL DEFAULT now();
ALTER TABLE removals ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_keys ADD COLUMN comment TEXT;
CREATE TABLE labels (name TEXT PRIMARY KEY);
CREATE INDEX heads_weight ON heads (weight);

-- +goose Down
DROP INDEX heads_weight;
DROP TABLE labels;
ALTER TABLE api_keys DROP COLUMN comment;
ALTER TABLE removals DROP COLUMN attempts;
ALTER TABLE confirmations DROP COLUMN since;
ALTER TABLE nodes DROP COLUMN zone;
ALTER TABLE deletions DROP COLUMN asked_by;
ALTER TABLE owners DROP COLUMN since;
ALTER TABLE heads DROP COLUMN weight;
ALTER TABLE agents DROP COLUMN label;
