-- name: insert_message
INSERT INTO messages (place, message_id, turn_id, role, created_at, tokens, content, extra)
VALUES ((:session << 24) + :position, :message_id, :turn_id, :role, :created_at, :tokens, :content, :extra);

-- name: count_message
UPDATE sessions SET
    message_count = message_count + 1,
    user_message_count = user_message_count + CASE WHEN :role = 'user' THEN 1 ELSE 0 END,
    token_count = token_count + :tokens,
    idle_since = :created_at
WHERE key = :session
RETURNING message_count, user_message_count, listed;

-- name: store_session
UPDATE sessions SET
    title = :title, last_active_at = :last_active_at, expires_at = :expires_at, message_count = :message_count,
    user_message_count = :user_message_count, token_count = :token_count, idle_since = :idle_since
WHERE key = :key;

-- name: messages_after
SELECT message_id, turn_id, role, content, created_at, tokens, extra FROM messages
WHERE place > (:session << 24) + :after AND place < (:session + 1) << 24
ORDER BY place LIMIT :limit;

-- name: messages_before
SELECT message_id, turn_id, role, content, created_at, tokens, extra FROM messages
WHERE place > (:session << 24) + :after AND place < (:session << 24) + :before
ORDER BY place DESC LIMIT :limit;

-- name: message_at
SELECT message_id, turn_id, role, content, created_at, tokens, extra FROM messages
WHERE place = (:session << 24) + :position;

-- name: position_of_message
SELECT place & 0xFFFFFF FROM messages
WHERE message_id = :message_id AND place > :session << 24 AND place < (:session + 1) << 24;

-- name: messages_of_turn
SELECT message_id, turn_id, role, content, created_at, tokens, extra FROM messages
WHERE place > (:session << 24) + :after AND place < (:session + 1) << 24 AND turn_id = :turn_id
ORDER BY place;

-- name: answer
SELECT content FROM messages
WHERE place > (:session << 24) + :position AND place <= (:session << 24) + :until
    AND turn_id = :turn_id AND role = 'assistant'
ORDER BY place;

-- name: copy_messages
INSERT INTO messages (place, message_id, turn_id, role, created_at, tokens, content, extra)
SELECT (:session << 24) + (place & 0xFFFFFF), message_id, turn_id, role, created_at, tokens, content, extra FROM messages
WHERE place > :source << 24 AND place <= (:source << 24) + :upto;

-- name: count_messages
UPDATE sessions SET (message_count, user_message_count, token_count) = (
    SELECT count(*), count(*) FILTER (WHERE role = 'user'), coalesce(sum(tokens), 0) FROM messages
    WHERE place > sessions.key << 24 AND place < (sessions.key + 1) << 24
)
WHERE key = :session;

-- name: uncount_messages
UPDATE sessions SET (message_count, user_message_count, token_count) = (
    SELECT
        message_count - count(*),
        user_message_count - count(*) FILTER (WHERE role = 'user'),
        token_count - coalesce(sum(tokens), 0)
    FROM messages
    WHERE place > (:session << 24) + :after AND place < (:session + 1) << 24
)
WHERE key = :session;

-- name: turns_after
SELECT DISTINCT turns.key FROM messages CROSS JOIN turns ON turns.turn_id = messages.turn_id AND turns.session = :session
WHERE place > (:session << 24) + :after AND place < (:session + 1) << 24;

-- name: erase_messages
DELETE FROM messages WHERE place > (:session << 24) + :after AND place < (:session + 1) << 24;

-- name: first_of_user
SELECT content FROM messages
WHERE place > :session << 24 AND place < (:session + 1) << 24 AND role = 'user'
ORDER BY place LIMIT 1;
