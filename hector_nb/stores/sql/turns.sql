-- name: select_turns
SELECT
    turns.key, session, turn_id, session_id, agent, owner, turns.status, holder, message_id, input, position, until, number,
    last_seq, finish_reason, prompt_tokens, completion_tokens, usage_estimated, turns.created_at, finished_at, listed
FROM turns JOIN sessions ON sessions.key = turns.session

-- name: this_turn
WHERE turn_id = :turn_id;

-- name: unfinished_of_session
WHERE session = :session AND finished_at IS NULL ORDER BY turns.key;

-- name: queue_of_session
SELECT key, turn_id, status FROM turns WHERE session = :session AND finished_at IS NULL ORDER BY key;

-- name: queue_of
SELECT turns.key, turn_id, turns.status FROM sessions CROSS JOIN turns ON turns.session = sessions.key
WHERE owner = :owner AND session_id = :session_id AND finished_at IS NULL ORDER BY turns.key;

-- name: turn_after
WHERE session = :session AND turns.key > :after ORDER BY turns.key LIMIT 1;

-- name: turn_made_after
WHERE session = :session AND turn_id > :turn_id ORDER BY turns.key LIMIT 1;

-- name: last_of_session
WHERE session = :session ORDER BY turns.key DESC LIMIT 1;

-- name: insert_turn
INSERT INTO turns (turn_id, session, status, holder, message_id, input, position, number, created_at)
VALUES (:turn_id, :session, :status, :holder, :message_id, :input, :position, :number, :created_at)
RETURNING key;

-- name: place_turn
UPDATE turns SET status = :status, input = NULL, position = :position, number = :number WHERE key = :key;

-- name: insert_events
INSERT INTO turn_events (place, payload) VALUES ((:turn << 24) + :last_seq, :payload);

-- name: update_last_seq
UPDATE turns SET last_seq = :last_seq WHERE key = :key;

-- name: update_outcome
UPDATE turns SET
    last_seq = :last_seq, status = :status, finish_reason = :finish_reason, prompt_tokens = :prompt_tokens,
    completion_tokens = :completion_tokens, usage_estimated = :usage_estimated, finished_at = :finished_at, events_until = :events_until,
    until = CASE WHEN CAST(:finished_at AS BIGINT) IS NOT NULL THEN (SELECT message_count FROM sessions WHERE sessions.key = session) END
WHERE key = :key;

-- name: go_on
UPDATE turns SET status = 'running' WHERE key = :key;

-- name: events_after
SELECT place & 0xFFFFFF, payload FROM turn_events
WHERE place > (:turn << 24) + :after AND place < (:turn + 1) << 24
ORDER BY place;

-- name: request_cancel
UPDATE turns SET cancel = TRUE WHERE turn_id = :turn_id AND finished_at IS NULL
RETURNING (SELECT session_id FROM sessions WHERE key = session), holder;

-- name: request_cancels
UPDATE turns SET cancel = TRUE WHERE session = :session AND finished_at IS NULL
RETURNING holder;

-- name: cancel_requests
SELECT turn_id FROM turns WHERE finished_at IS NULL AND cancel AND holder = :holder ORDER BY key;

-- name: expired_logs
SELECT turns.key, session, owner, session_id, listed FROM turns JOIN sessions ON sessions.key = turns.session
WHERE events_until IS NOT NULL AND events_until <= :now
ORDER BY events_until LIMIT :limit;

-- name: needed_turns
SELECT count(*) FROM turns WHERE session = :session AND (finished_at IS NULL OR events_until > :now);

-- name: erase_events
DELETE FROM turn_events WHERE place > :turn << 24 AND place < (:turn + 1) << 24;

-- name: turns_of_session
SELECT key FROM turns WHERE session = :session;

-- name: erase_turn
DELETE FROM turns WHERE key = :turn;

-- name: mark_erased
UPDATE turns SET events_until = NULL WHERE key = :turn;
