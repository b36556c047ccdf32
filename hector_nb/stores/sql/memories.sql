-- name: find_partition
SELECT key, memory_count, length, vectors_changed FROM partitions
WHERE scope = :scope AND agent = :agent AND owner = :owner AND session_id = :session_id;

-- name: insert_partition
INSERT INTO partitions (scope, agent, owner, session_id) VALUES (:scope, :agent, :owner, :session_id)
ON CONFLICT (scope, agent, owner, session_id) DO UPDATE SET scope = excluded.scope -- so that nobody erases it meanwhile
RETURNING key;

-- name: count_memory
UPDATE partitions SET memory_count = memory_count + :memories, length = length + :length
WHERE key = :partition;

-- name: erase_empty_partition
DELETE FROM partitions WHERE key = :partition AND memory_count = 0;

-- name: select_memories
SELECT
    memories.key, memory_id, agent, memories.owner, memories.session_id, scope, kind, text, tokens, message_ids, created_at,
    corrected_at, version
FROM memories JOIN partitions ON partitions.key = partition

-- name: this_memory
WHERE memory_id = :memory_id AND partition = :partition;

-- name: these_memories
WHERE memories.key IN (SELECT CAST(value AS BIGINT) FROM json_each(:keys)) ORDER BY memories.key;

-- name: newest_memories
WHERE partition = :partition AND (created_at, memories.key) < (:created_at, :key)
ORDER BY created_at DESC, memories.key DESC LIMIT :limit;

-- name: is_alike
SELECT 1 FROM memories WHERE partition = :partition AND same = :same;

-- name: newest_summary
WHERE kind = 'summary' AND memories.session = (
    SELECT sessions.key FROM sessions WHERE sessions.owner = :owner AND sessions.session_id = :session_id
)
ORDER BY last_position DESC, memories.key DESC LIMIT 1;

-- name: insert_memory
INSERT INTO memories (
    memory_id, partition, owner, session, session_id, last_position, kind, created_at, tokens, same, length, word_count,
    message_ids, text
)
VALUES (
    :memory_id, :partition, :owner, :session, :session_id, :last_position, :kind, :created_at, :tokens, :same, :length,
    :word_count, :message_ids, :text
)
RETURNING key;

-- name: keep_version
INSERT INTO memory_versions (memory, version, corrected_at, tokens, text)
SELECT key, version, corrected_at, tokens, text FROM memories WHERE key = :memory;

-- name: correct_memory
UPDATE memories SET
    version = version + 1, corrected_at = :now, tokens = :tokens, same = :same, length = :length, word_count = :word_count,
    embedder = 0, text = :text
WHERE key = :memory;

-- name: select_indexed
SELECT key, partition, owner, session_id, kind, length, word_count, text FROM memories

-- name: indexed_memory
WHERE memory_id = :memory_id AND partition = :partition;

-- name: of_session
WHERE session = :session;

-- name: of_session_alone
WHERE session = :session AND EXISTS (SELECT 1 FROM partitions WHERE partitions.key = partition AND scope = 'session');

-- name: of_session_after
WHERE session = :session AND last_position > :after;

-- name: summaries_of_session
WHERE session = :session AND kind = 'summary';

-- name: erase_memory
DELETE FROM memories WHERE key = :memory;

-- name: insert_words
INSERT INTO memory_words (partition, word, memory, count, length)
SELECT :partition, key, :memory, CAST(value AS BIGINT), :length FROM json_each(:words);

-- name: erase_words
DELETE FROM memory_words
WHERE partition = :partition AND word IN (SELECT key FROM json_each(:words)) AND memory = :memory;

-- name: erase_all_words
DELETE FROM memory_words WHERE partition = :partition AND memory = :memory;

-- name: find_embedder
SELECT key FROM embedders WHERE name = :name;

-- name: insert_embedder
INSERT INTO embedders (name) VALUES (:name) RETURNING key;

-- name: other_embedders
SELECT key FROM embedders WHERE key <> :embedder;

-- name: set_embedder
UPDATE memories SET embedder = :embedder WHERE key = :memory;

-- name: memory_of_version
SELECT key, partition FROM memories WHERE memory_id = :memory_id AND version = :version;

-- name: unembedded
SELECT memories.key FROM memories JOIN partitions ON partitions.key = partition
WHERE embedder = :embedder AND (CAST(:agents AS TEXT) IS NULL OR agent IN (SELECT value FROM json_each(CAST(:agents AS TEXT))))
ORDER BY memories.key LIMIT :limit;

-- name: count_unembedded
SELECT count(*) FROM memories JOIN partitions ON partitions.key = partition
WHERE embedder = :embedder AND (CAST(:agents AS TEXT) IS NULL OR agent IN (SELECT value FROM json_each(CAST(:agents AS TEXT))));
