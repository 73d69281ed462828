-- name: Add :exec
-- One that is there already was stored by an attempt whose answer was lost.
INSERT INTO admin_actions (id, at, api_key, method, path, status, request_id)
SELECT unnest(@ids::text[]), unnest(@ats::bigint[]), unnest(@api_keys::text[]), unnest(@methods::text[]), unnest(@paths::text[]),
    unnest(@statuses::integer[]), unnest(@request_ids::text[])
ON CONFLICT DO NOTHING;

-- name: List :many
-- The latest first. The empty before stands for the end of time.
SELECT * FROM admin_actions WHERE (@before::text = '' OR id < @before) ORDER BY id DESC LIMIT @most;

-- name: Forget :exec
DELETE FROM admin_actions WHERE at < @before;
