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
SELECT record, coalesce(systems.text, ''), coalesce(schemas.text, '') FROM ledgers
LEFT JOIN prompts AS systems ON systems.key = system
LEFT JOIN prompts AS schemas ON schemas.key = tools
WHERE turn = :turn;

-- name: shown_memories
SELECT
    memories.key, memory_id, agent, memories.owner, memories.session_id, scope, kind,
    coalesce(memory_versions.text, memories.text), coalesce(memory_versions.tokens, memories.tokens), message_ids, created_at,
    CASE WHEN memory_versions.version IS NULL THEN memories.corrected_at ELSE memory_versions.corrected_at END,
    coalesce(memory_versions.version, memories.version)
FROM json_each(:shown) AS shown
CROSS JOIN memories ON memory_id = shown.key
JOIN partitions ON partitions.key = partition
LEFT JOIN memory_versions ON memory = memories.key AND memory_versions.version = CAST(shown.value AS BIGINT);
