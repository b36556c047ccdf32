-- name: select_turns
SELECT
    turns.key, session, turn_id, session_id, agent, owner, status, holder, message_id, input, position, number,
    last_seq, finish_reason, prompt_tokens, completion_tokens, usage_estimated, turns.created_at, finished_at
FROM turns JOIN sessions ON sessions.key = turns.session

-- name: this_turn
WHERE turn_id = :turn_id;

-- name: unfinished_of_session
WHERE session = :session AND finished_at IS NULL ORDER BY turns.key;

-- name: queue_of_session
SELECT key, turn_id, status FROM turns WHERE session = :session AND finished_at IS NULL ORDER BY key;

-- name: insert_turn
INSERT INTO turns (turn_id, session, status, holder, message_id, input, created_at)
VALUES (:turn_id, :session, 'queued', :holder, :message_id, :input, :created_at);

-- name: place_turn
UPDATE turns SET status = :status, input = NULL, position = :position, number = :number WHERE key = :key;

-- name: insert_events
INSERT INTO turn_events (place, payload) VALUES ((:turn << 24) + :last_seq, :payload);

-- name: update_last_seq
UPDATE turns SET last_seq = :last_seq WHERE key = :key;

-- name: update_outcome
UPDATE turns SET
    last_seq = :last_seq, status = :status, finish_reason = :finish_reason, prompt_tokens = :prompt_tokens,
    completion_tokens = :completion_tokens, usage_estimated = :usage_estimated, finished_at = :finished_at, events_until = :events_until
WHERE key = :key;

-- name: events_after
SELECT place & 0xFFFFFF, payload FROM turn_events
WHERE place > (:turn << 24) + :after AND place < (:turn + 1) << 24
ORDER BY place;

-- name: request_cancel
UPDATE turns SET cancel = 1 WHERE turn_id = :turn_id AND finished_at IS NULL
RETURNING (SELECT session_id FROM sessions WHERE key = session);

-- name: request_cancels
UPDATE turns SET cancel = 1 WHERE session = :session AND finished_at IS NULL;

-- name: cancel_requests
SELECT turn_id FROM turns WHERE finished_at IS NULL AND cancel AND holder = :holder ORDER BY key;

-- name: heartbeat
INSERT INTO holders (holder, seen_at) VALUES (:holder, :now)
ON CONFLICT (holder) DO UPDATE SET seen_at = excluded.seen_at;

-- name: sign_of_life
INSERT INTO holders (holder, seen_at) VALUES (:holder, :now)
ON CONFLICT (holder) DO UPDATE SET seen_at = excluded.seen_at WHERE seen_at < excluded.seen_at - 1000000;

-- name: forget_silent_holders
DELETE FROM holders WHERE seen_at <= :before AND holder <> :holder;

-- name: forget_holder
DELETE FROM holders WHERE holder = :holder;

-- name: unheld
WHERE turns.key IN (
    SELECT key FROM turns INDEXED BY turns_unfinished
    WHERE finished_at IS NULL AND holder <> :holder
        AND holder NOT IN (SELECT holder FROM holders WHERE seen_at > :before)
)
ORDER BY turns.key;

-- name: hold_turn
UPDATE turns SET holder = :holder WHERE key = :key;

-- name: expired_logs
SELECT turns.key, session, session_id, listed FROM turns JOIN sessions ON sessions.key = turns.session
WHERE events_until IS NOT NULL AND events_until <= :now
ORDER BY events_until LIMIT :limit;

-- name: needed_turns
SELECT count(*) FROM turns WHERE session = :session AND (finished_at IS NULL OR events_until > :now);

-- name: erase_events
DELETE FROM turn_events WHERE place > :turn << 24 AND place < (:turn + 1) << 24;

-- name: mark_erased
UPDATE turns SET events_until = NULL WHERE key = :turn;
