-- name: insert_session
INSERT INTO sessions (owner, session_id, agent, title, metadata, listed, created_at, last_active_at, expires_at, ended_at)
VALUES (:owner, :session_id, :agent, :title, :metadata, :listed, :created_at, :last_active_at, :expires_at, :ended_at)
RETURNING key;

-- name: select_sessions
SELECT
    key, session_id, agent, owner, title, metadata, created_at, last_active_at, expires_at, ended_at,
    message_count, user_message_count, token_count, listed,
    (
        SELECT turn_id FROM turns
        WHERE turns.session = sessions.key AND finished_at IS NULL AND status <> 'queued'
        ORDER BY turns.key LIMIT 1
    )
FROM sessions

-- name: this_session
WHERE owner = :owner AND session_id = :session_id;

-- name: update_title
UPDATE sessions SET title = :title WHERE key = :key;

-- name: update_metadata
UPDATE sessions SET metadata = :metadata WHERE key = :key;

-- name: end_session
UPDATE sessions SET ended_at = :now WHERE key = :key AND ended_at IS NULL;

-- name: refresh_session
UPDATE sessions SET last_active_at = :last_active_at, expires_at = :expires_at WHERE key = :key;

-- name: insert_words
INSERT INTO titles (rowid, words) VALUES (:key, :words);

-- name: delete_words
DELETE FROM titles WHERE rowid = :key;

-- name: count_titles
SELECT count(*) FROM (SELECT 1 FROM titles WHERE words MATCH :words LIMIT :most);

-- name: insert_message
INSERT INTO messages (place, message_id, turn_id, role, created_at, tokens, content, extra)
VALUES ((:session << 24) + :position, :message_id, :turn_id, :role, :created_at, :tokens, :content, :extra);

-- name: count_message
UPDATE sessions SET
    message_count = message_count + 1,
    user_message_count = user_message_count + (:role = 'user'),
    token_count = token_count + :tokens
WHERE key = :session
RETURNING message_count, user_message_count;

-- name: messages_after
SELECT message_id, turn_id, role, content, created_at, tokens, extra FROM messages
WHERE place > (:session << 24) + :after AND place < (:session + 1) << 24
ORDER BY place LIMIT :limit;

-- name: messages_before
SELECT message_id, turn_id, role, content, created_at, tokens, extra FROM messages
WHERE place > (:session << 24) + :after AND place < (:session << 24) + :before
ORDER BY place DESC;

-- name: message_at
SELECT message_id, turn_id, role, content, created_at, tokens, extra FROM messages
WHERE place = (:session << 24) + :position;

-- name: erase_turns
DELETE FROM turns WHERE session = :session RETURNING key;

-- name: erase_messages
DELETE FROM messages WHERE place > :session << 24 AND place < (:session + 1) << 24;

-- name: erase_session
DELETE FROM sessions WHERE key = :session;
