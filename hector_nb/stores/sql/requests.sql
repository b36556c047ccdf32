-- name: find_request
SELECT fingerprint, session, (SELECT turn_id FROM turns WHERE key = turn) FROM requests
WHERE owner = :owner AND idempotency_key = :key AND made_at > :before;

-- name: insert_request
INSERT INTO requests (owner, idempotency_key, fingerprint, session, turn, made_at)
VALUES (:owner, :key, :fingerprint, :session, :turn, :now)
ON CONFLICT (owner, idempotency_key) DO UPDATE SET
    fingerprint = excluded.fingerprint, session = excluded.session, turn = excluded.turn, made_at = excluded.made_at;

-- name: sweep_requests
DELETE FROM requests WHERE (owner, idempotency_key) IN (
    SELECT owner, idempotency_key FROM requests WHERE made_at <= :before ORDER BY made_at LIMIT :limit
)
RETURNING 1;
