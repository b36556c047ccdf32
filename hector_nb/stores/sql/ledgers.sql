-- name: find_prompt
SELECT key FROM prompts WHERE hash = :hash;

-- name: insert_prompt
INSERT INTO prompts (hash, text) VALUES (:hash, :text) RETURNING key;

-- name: erase_unused_prompt
DELETE FROM prompts WHERE key = :prompt
    AND NOT EXISTS (SELECT 1 FROM ledgers WHERE system = :prompt)
    AND NOT EXISTS (SELECT 1 FROM ledgers WHERE tools = :prompt);

-- name: prompts_of_ledger
SELECT system, tools FROM ledgers WHERE turn = :turn;

-- name: put_ledger
INSERT INTO ledgers (turn, system, tools, record) VALUES (:turn, :system, :tools, :record)
ON CONFLICT (turn) DO UPDATE SET system = excluded.system, tools = excluded.tools, record = excluded.record;

-- name: erase_ledger
DELETE FROM ledgers WHERE turn = :turn;

-- name: find_ledger
SELECT record, ifnull(systems.text, ''), ifnull(schemas.text, '') FROM ledgers
LEFT JOIN prompts AS systems ON systems.key = system
LEFT JOIN prompts AS schemas ON schemas.key = tools
WHERE turn = :turn;

-- name: shown_memories
SELECT
    memories.key, memory_id, agent, memories.owner, memories.session_id, scope, kind,
    ifnull(memory_versions.text, memories.text), ifnull(memory_versions.tokens, memories.tokens), message_ids, created_at,
    iif(memory_versions.version IS NULL, memories.corrected_at, memory_versions.corrected_at),
    ifnull(memory_versions.version, memories.version)
FROM json_each(:shown) AS shown
CROSS JOIN memories ON memory_id = shown.value ->> 0
JOIN partitions ON partitions.key = partition
LEFT JOIN memory_versions ON memory = memories.key AND memory_versions.version = shown.value ->> 1;
