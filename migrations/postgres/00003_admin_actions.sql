-- +goose Up
-- What operators changed, or tried to.
CREATE TABLE admin_actions (
    id         TEXT COLLATE "C" PRIMARY KEY, -- in the order of time
    at         BIGINT  NOT NULL,
    api_key    TEXT    NOT NULL, -- its id; empty for nobody's
    method     TEXT    NOT NULL,
    path       TEXT    NOT NULL,
    status     INTEGER NOT NULL,
    request_id TEXT    NOT NULL
);

CREATE INDEX admin_actions_at ON admin_actions (at);

-- +goose Down
DROP TABLE admin_actions;
