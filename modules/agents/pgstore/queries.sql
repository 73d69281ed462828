-- name: ProposeSecret :exec
INSERT INTO cluster (one, secret) VALUES (1, @secret) ON CONFLICT DO NOTHING;

-- name: Secret :one
SELECT secret FROM cluster;

-- name: Agent :one
SELECT * FROM agents WHERE tenant = @tenant AND id = @id;

-- name: AgentForUpdate :one
SELECT * FROM agents WHERE tenant = @tenant AND id = @id FOR UPDATE;

-- name: Heads :many
SELECT chain, used FROM heads WHERE tenant = @tenant AND id = @id ORDER BY used DESC;

-- name: HeadsOfMany :many
SELECT id, chain, used FROM heads WHERE tenant = @tenant AND id = ANY(@ids::text[]) ORDER BY used DESC;

-- name: ListTenant :many
-- The empty until stands for no end.
SELECT * FROM agents
WHERE tenant = @tenant AND id > @after AND id >= @first AND (@until::text = '' OR id < @until)
    AND used < @used_before AND used > @used_after
ORDER BY id LIMIT @most;

-- name: ListAll :many
SELECT * FROM agents
WHERE (tenant, id) > (@after_tenant::text, @after_id::text) AND starts_with(id, @prefix)
    AND used < @used_before AND used > @used_after
ORDER BY tenant, id LIMIT @most;

-- name: LockOwnership :exec
-- Until the transaction ends nobody decides that blocks have no owner.
SELECT pg_advisory_xact_lock_shared(@number::bigint);

-- name: LockRemoval :exec
-- Until the transaction ends nobody comes to own blocks.
SELECT pg_advisory_xact_lock(@number::bigint);

-- name: InsertAgent :execrows
INSERT INTO agents (tenant, id, created, used, retain_until, ttl, version)
VALUES (@tenant, @id, @created, @used, @retain_until, @ttl, 1) ON CONFLICT DO NOTHING;

-- name: UpdateAgent :execrows
UPDATE agents SET used = @used, retain_until = @retain_until, ttl = @ttl, version = version + 1
WHERE tenant = @tenant AND id = @id AND version = @version;

-- name: DeleteAgent :exec
DELETE FROM agents WHERE tenant = @tenant AND id = @id;

-- name: DeleteAgents :exec
DELETE FROM agents WHERE tenant = @tenant;

-- name: DropHeads :exec
DELETE FROM heads WHERE tenant = @tenant AND id = @id AND head = ANY(@heads::bytea[]);

-- name: DropAllHeads :exec
DELETE FROM heads WHERE tenant = @tenant AND id = @id;

-- name: PutHead :exec
INSERT INTO heads (tenant, id, head, chain, used) VALUES (@tenant, @id, @head, @chain, @used)
ON CONFLICT (tenant, id, head) DO UPDATE SET chain = excluded.chain, used = excluded.used;

-- name: DropOwners :exec
DELETE FROM owners WHERE tenant = @tenant AND id = @id AND block = ANY(@blocks::bytea[]);

-- name: DropAllOwners :exec
DELETE FROM owners WHERE tenant = @tenant AND id = @id;

-- name: AddOwners :exec
INSERT INTO owners (block, tenant, id) SELECT unnest(@blocks::bytea[]), @tenant, @id ON CONFLICT DO NOTHING;

-- name: Owned :many
SELECT DISTINCT block FROM owners WHERE block = ANY(@blocks::bytea[]);

-- name: LastUses :many
SELECT o.block, max(a.used)::bigint AS used FROM owners o JOIN agents a ON a.tenant = o.tenant AND a.id = o.id
WHERE o.block = ANY(@blocks::bytea[]) GROUP BY o.block;

-- name: CountRemoved :one
SELECT count(*) FROM removals WHERE block = ANY(@blocks::bytea[]) AND until > now();

-- name: RemovedByOthers :many
SELECT DISTINCT block FROM removals WHERE block = ANY(@blocks::bytea[]) AND operation <> @operation AND until > now();

-- name: AddRemovals :exec
INSERT INTO removals (block, holder, operation, until)
SELECT unnest(@blocks::bytea[]), @holder, @operation, now() + make_interval(secs => @seconds::float8);

-- name: EndRemovals :exec
DELETE FROM removals WHERE holder = @holder;

-- name: EndOldRemovals :exec
DELETE FROM removals WHERE until <= now();

-- name: CountUnnoticed :one
-- Deletions of the agent, or of all of its tenant, of which the node has not taken notice.
SELECT count(*) FROM deletions d
WHERE d.tenant = @tenant AND d.id IN (@id, '') AND NOT d.settled
    AND NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.operation = d.operation AND c.node = @node);

-- name: AddDeletion :exec
INSERT INTO deletions (operation, tenant, id, created, ended, settled) VALUES (@operation, @tenant, @id, @created, 0, false);

-- name: AddDeletedChains :exec
INSERT INTO deleted_chains (operation, number, chain)
SELECT @operation, generate_subscripts(@chains::bytea[], 1) + (SELECT count(*) FROM deleted_chains o WHERE o.operation = @operation), unnest(@chains::bytea[]);

-- name: Deletion :one
SELECT d.operation, d.tenant, d.id, d.created, d.ended, coalesce(sum(c.blocks), 0)::bigint AS blocks, coalesce(sum(c.bytes), 0)::bigint AS bytes,
    coalesce(max(c.error), '')::text AS error
FROM deletions d LEFT JOIN confirmations c ON c.operation = d.operation
WHERE d.operation = @operation GROUP BY d.operation;

-- name: LockDeletion :exec
SELECT 1 FROM deletions WHERE operation = @operation FOR UPDATE;

-- name: Pending :many
-- What the node has not done, with how far it is.
SELECT d.operation, d.tenant, d.id, d.created, d.ended, (c.node IS NOT NULL)::bool AS noticed,
    coalesce(c.blocks, 0) AS blocks, coalesce(c.bytes, 0) AS bytes, coalesce(c.error, '') AS error
FROM deletions d LEFT JOIN confirmations c ON c.operation = d.operation AND c.node = @node
WHERE NOT d.settled AND c.done IS NOT TRUE ORDER BY d.created;

-- name: DeletedChains :many
SELECT chain FROM deleted_chains WHERE operation = @operation ORDER BY number;

-- name: ForgetDeletions :exec
-- A node that was away may still have to do what has ended for the others.
DELETE FROM deletions WHERE ended > 0 AND ended < @ended_before AND settled;

-- name: Confirm :exec
INSERT INTO confirmations (operation, node, done, blocks, bytes, error) VALUES (@operation, @node, @done, @blocks, @bytes, @error)
ON CONFLICT (operation, node) DO UPDATE SET done = excluded.done, blocks = excluded.blocks, bytes = excluded.bytes, error = excluded.error;

-- name: Notice :exec
INSERT INTO confirmations (operation, node, done, blocks, bytes, error) VALUES (@operation, @node, false, 0, 0, '') ON CONFLICT DO NOTHING;

-- name: EndDeletions :exec
-- Ends those that every node that lives has done.
UPDATE deletions d SET ended = @now WHERE NOT d.settled AND d.ended = 0
    AND EXISTS (SELECT 1 FROM confirmations c WHERE c.operation = d.operation AND c.done)
    AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.heartbeat > now() - make_interval(secs => @live_seconds::float8)
        AND NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.operation = d.operation AND c.node = n.id AND c.done));

-- name: SettleDeletions :exec
-- Ends the wait for nodes that are away where every known node has done it.
WITH done AS (
    UPDATE deletions d SET settled = true WHERE NOT d.settled AND d.ended > 0
        AND NOT EXISTS (SELECT 1 FROM nodes n WHERE NOT EXISTS (SELECT 1 FROM confirmations c WHERE c.operation = d.operation AND c.node = n.id AND c.done))
    RETURNING d.operation
)
DELETE FROM deleted_chains WHERE operation IN (SELECT done.operation FROM done);

-- name: Join :execrows
-- Makes the node known.
INSERT INTO nodes (id, boot, heartbeat) VALUES (@id, @boot, now()) ON CONFLICT DO NOTHING;

-- name: ConfirmEnded :exec
-- A node that is new has nothing of what has ended.
INSERT INTO confirmations (operation, node, done, blocks, bytes, error)
SELECT operation, @node, true, 0, 0, '' FROM deletions WHERE ended > 0 AND NOT settled ON CONFLICT DO NOTHING;

-- name: Rejoin :exec
UPDATE nodes SET boot = @boot, heartbeat = now() WHERE id = @id;

-- name: Beat :execrows
UPDATE nodes SET heartbeat = now() WHERE id = @id AND boot = @boot;

-- name: Leave :exec
-- From now on nobody waits for the node.
UPDATE nodes SET heartbeat = now() - make_interval(secs => @seconds::float8) WHERE id = @id AND boot = @boot;

-- name: ForgetNodes :exec
DELETE FROM nodes WHERE heartbeat < now() - make_interval(secs => @seconds::float8);

-- name: AddCommand :execrows
-- For every other node that lives.
INSERT INTO node_commands (node, kind, tenant, agent, tier, until, created)
SELECT id, @kind, @tenant, @agent, @tier, @until, now() FROM nodes
WHERE id <> @node AND heartbeat > now() - make_interval(secs => @live_seconds::float8);

-- name: TakeCommands :many
DELETE FROM node_commands WHERE node = @node
RETURNING number, kind, tenant, agent, tier, until, (created > now() - make_interval(secs => @live_seconds::float8))::bool AS holds;

-- name: ForgetCommands :exec
-- What was for the node's process before this one.
DELETE FROM node_commands WHERE node = @node;

-- name: Tell :exec
SELECT pg_notify('agent_memory', @what::text);

-- name: TryLead :one
SELECT pg_try_advisory_lock(@number::bigint);
