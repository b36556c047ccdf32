-- name: this_mark
SELECT mark FROM sessions WHERE key = :session;

-- name: skip
UPDATE sessions SET mark = message_count WHERE key = :session;

-- name: move
UPDATE sessions SET mark = :mark, idle_since = coalesce(
    (SELECT messages.created_at FROM messages WHERE place = (sessions.key << 24) + message_count), 0
)
WHERE key = :session;

-- name: has_message
SELECT 1 FROM messages WHERE place = (:session << 24) + :position AND message_id = :message_id;

-- name: select_untaken
SELECT idle_since, key, mark, message_count FROM sessions;

-- name: is_untaken
listed AND mark < message_count;

-- name: is_at_rest
NOT EXISTS (SELECT 1 FROM turns WHERE turns.session = sessions.key AND finished_at IS NULL);
