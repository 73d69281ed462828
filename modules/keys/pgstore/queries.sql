-- name: Revise :exec
-- Takes the number's lock until the transaction ends, so that numbers are seen in their order.
UPDATE api_keys_revision SET revision = revision + 1;

-- name: Tell :exec
-- Tells every node that listens, when the transaction has committed.
SELECT pg_notify(@channel::text, '');

-- name: Revision :one
SELECT revision FROM api_keys_revision;

-- name: Insert :exec
INSERT INTO api_keys (id, hash, prefix, name, tenant, scopes, created, expires, revoked, used)
VALUES (@id, @hash, @prefix, @name, @tenant, @scopes, @created, @expires, 0, 0);

-- name: Revoke :execrows
UPDATE api_keys SET revoked = @revoked WHERE id = @id AND revoked = 0;

-- name: Key :one
SELECT * FROM api_keys WHERE id = @id;

-- name: Find :one
SELECT * FROM api_keys WHERE hash = @hash;

-- name: List :many
SELECT * FROM api_keys WHERE id > @after ORDER BY id LIMIT @most;

-- name: ListTenant :many
SELECT * FROM api_keys WHERE tenant = @tenant AND id > @after ORDER BY id LIMIT @most;

-- name: Held :many
SELECT id FROM api_keys WHERE id = ANY(@ids::text[]) AND revoked = 0;

-- name: NoteUses :exec
UPDATE api_keys SET used = greatest(used, (@uses::bigint[])[array_position(@ids::text[], id)])
WHERE id = ANY(@ids::text[]);
