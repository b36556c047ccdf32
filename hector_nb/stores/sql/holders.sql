-- name: heartbeat
INSERT INTO holders (holder, seen_at) VALUES (:holder, :now)
ON CONFLICT (holder) DO UPDATE SET seen_at = excluded.seen_at;

-- name: sign_of_life
INSERT INTO holders (holder, seen_at) VALUES (:holder, :now)
ON CONFLICT (holder) DO UPDATE SET seen_at = excluded.seen_at WHERE holders.seen_at < excluded.seen_at - 1000000;

-- name: other_holders
SELECT holder, seen_at FROM holders WHERE holder <> :holder;

-- name: unheld_keys
SELECT key FROM turns INDEXED BY turns_unfinished
WHERE finished_at IS NULL AND holder <> :holder AND holder NOT IN (SELECT holder FROM holders)
    AND (status <> 'waiting' OR cancel OR NOT EXISTS (
        SELECT 1 FROM approvals
        WHERE turn = turns.key AND (
            decision IS NULL AND deadline > :now
            -- What was approved is run where the holder's tools are: whatever follows the dot of its name tells.
            OR decision = 'approve' AND substr(turns.holder || '.', instr(turns.holder || '.', '.'))
                <> substr(:holder || '.', instr(:holder || '.', '.'))
        )
    ));

-- name: forget_silent_holder
DELETE FROM holders WHERE holder = :holder AND seen_at = :seen_at RETURNING holder;

-- name: forget_holder
DELETE FROM holders WHERE holder = :holder;

-- name: forget_readers
DELETE FROM readers WHERE holder = :holder;

-- name: hold_turn
UPDATE turns SET holder = :holder WHERE key = :key AND holder = :before AND finished_at IS NULL RETURNING key;

-- name: join_turn
INSERT INTO readers (turn, holder) SELECT key, :holder FROM turns WHERE turn_id = :turn_id
ON CONFLICT DO NOTHING;

-- name: leave_turn
DELETE FROM readers WHERE holder = :holder AND turn = (SELECT key FROM turns WHERE turn_id = :turn_id)
RETURNING (SELECT session_id FROM turns JOIN sessions ON sessions.key = turns.session WHERE turns.key = turn);

-- name: readers_besides
SELECT readers.holder, seen_at FROM turns
JOIN readers ON readers.turn = turns.key JOIN holders ON holders.holder = readers.holder
WHERE turn_id = :turn_id AND readers.holder <> :holder;
