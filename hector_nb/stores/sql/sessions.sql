-- name: insert_session
INSERT INTO sessions (owner, session_id, agent, status, title, metadata, listed, created_at, last_active_at, expires_at)
VALUES (:owner, :session_id, :agent, :status, :title, :metadata, :listed, :created_at, :last_active_at, :expires_at)
RETURNING key;

-- name: select_sessions
SELECT
    key, session_id, agent, owner, status, title, metadata, created_at, last_active_at, expires_at,
    message_count, user_message_count, token_count, listed,
    (
        SELECT turn_id FROM turns
        WHERE turns.session = sessions.key AND finished_at IS NULL AND status <> 'queued'
        ORDER BY turns.key LIMIT 1
    )
FROM sessions

-- name: count_sessions
SELECT status, count(*) FROM sessions WHERE listed GROUP BY status;

-- name: this_session
WHERE owner = :owner AND session_id = :session_id;

-- name: these_sessions
WHERE key IN (SELECT CAST(value AS BIGINT) FROM json_each(:keys));

-- name: select_places
SELECT last_active_at, key FROM sessions;

-- name: update_title
UPDATE sessions SET title = :title WHERE key = :key;

-- name: name_untitled
UPDATE sessions SET title = :title WHERE key = :key AND title = '' RETURNING key;

-- name: update_metadata
UPDATE sessions SET metadata = :metadata WHERE key = :key;

-- name: end_session
UPDATE sessions SET status = 'ended' WHERE key = :key;

-- name: expire_sessions
UPDATE sessions SET status = 'expired' WHERE key IN (
    SELECT key FROM sessions
    WHERE status = 'active' AND expires_at <= :now
        AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.session = sessions.key AND finished_at IS NULL)
    ORDER BY expires_at LIMIT :limit
)
AND status = 'active' AND expires_at <= :now -- it may have changed since it was found
RETURNING key;

-- name: erase_messages
DELETE FROM messages WHERE place > :session << 24 AND place < (:session + 1) << 24;

-- name: erase_session
DELETE FROM sessions WHERE key = :session;

-- name: texts_of
SELECT title FROM sessions WHERE key = :session
UNION ALL
SELECT content FROM messages WHERE place > :session << 24 AND place < (:session + 1) << 24;
