-- name: hold
SELECT pg_advisory_lock_shared(1751478646, hashtext(:holder));

-- name: release
SELECT pg_advisory_unlock_shared(1751478646, hashtext(:holder));

-- name: is_held
SELECT 1 FROM pg_locks
WHERE locktype = 'advisory' AND granted AND classid = 1751478646 AND CAST(objid AS BIGINT) = CAST(hashtext(:holder) AS BIGINT) & 0xFFFFFFFF
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
