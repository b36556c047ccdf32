-- name: forget_approval
DELETE FROM approvals WHERE turn = :turn AND call_id = :call_id;

-- name: insert_approval
INSERT INTO approvals (turn, call_id, name, arguments, created_at, deadline, decision, edited)
VALUES (:turn, :call_id, :name, :arguments, :created_at, :deadline, :decision, :edited);

-- name: approvals_of_session
SELECT approvals.key, call_id, turn_id, name, arguments, approvals.created_at, deadline, decision, edited
FROM turns JOIN approvals ON approvals.turn = turns.key
WHERE turns.session = :session AND finished_at IS NULL
ORDER BY turns.key, approvals.key;

-- name: decide
UPDATE approvals SET decision = :decision, edited = :edited WHERE key = :key;

-- name: erase_approvals
DELETE FROM approvals WHERE turn = :turn;

-- name: insert_output
INSERT INTO outputs (place, call_id, content) VALUES ((:session << 24) + :position, :call_id, :content)
ON CONFLICT (place, call_id) DO UPDATE SET content = excluded.content;

-- name: next_position
SELECT message_count + 1 FROM sessions WHERE key = :session;

-- name: output_of_call
SELECT content FROM outputs
WHERE call_id = :call_id AND place > :session << 24 AND place < (:session + 1) << 24
ORDER BY place DESC LIMIT 1;

-- name: copy_outputs
INSERT INTO outputs (place, call_id, content)
SELECT (:session << 24) + (place & 0xFFFFFF), call_id, content FROM outputs
WHERE place > :source << 24 AND place <= (:source << 24) + :upto;

-- name: erase_outputs
DELETE FROM outputs WHERE place > (:session << 24) + :after AND place < (:session + 1) << 24;
