-- +goose Up
-- What operators changed, or tried to.
CREATE TABLE admin_actions (
    id         TEXT    PRIMARY KEY, -- in the order of time
    at         INTEGER NOT NULL,
    api_key    TEXT    NOT NULL, -- its id; empty for nobody's
    method     TEXT    NOT NULL,
    path       TEXT    NOT NULL,
    status     INTEGER NOT NULL,
    request_id TEXT    NOT NULL
) WITHOUT ROWID;

CREATE INDEX admin_actions_at ON admin_actions (at);

-- +goose Down
DROP TABLE admin_actions;
