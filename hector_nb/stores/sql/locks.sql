-- name: session
SELECT 1 FROM sessions WHERE owner = :owner AND session_id = :session_id FOR UPDATE;

-- name: session_of_turn
SELECT 1 FROM sessions WHERE key = (SELECT session FROM turns WHERE turn_id = :turn_id) FOR UPDATE;

-- name: partition
SELECT 1 FROM partitions WHERE key = :partition FOR UPDATE;

-- name: partition_of_memory
SELECT 1 FROM partitions WHERE key = (SELECT partition FROM memories WHERE memory_id = :memory_id) FOR UPDATE;

-- name: request
SELECT pg_advisory_xact_lock(hashtextextended(:owner || ' ' || :key, 1751478644));

-- name: task
SELECT pg_advisory_xact_lock(hashtextextended(:task, 1751478645));
