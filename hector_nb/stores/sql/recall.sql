-- name: hidden_memories
SELECT memories.key FROM memories
WHERE session = (SELECT key FROM sessions WHERE owner = :owner AND session_id = :session_id) AND last_position >= :position;

-- name: count_word
SELECT count(*) FROM memory_words WHERE partition = :partition AND word = :word;

-- name: best_by_words
SELECT memory, sum(CAST(asked.value AS DOUBLE PRECISION) * count * (:k + 1) / (count + :k * (1 - :b + :b * memory_words.length / :average))) AS score
FROM json_each(:weights) AS asked
CROSS JOIN memory_words ON partition = :partition AND word = asked.key
WHERE memory NOT IN (SELECT CAST(value AS BIGINT) FROM json_each(:hidden))
GROUP BY memory ORDER BY score DESC, memory DESC LIMIT :limit;

-- name: scores_by_words
SELECT memory, sum(CAST(asked.value AS DOUBLE PRECISION) * count * (:k + 1) / (count + :k * (1 - :b + :b * memory_words.length / :average)))
FROM json_each(:keys) AS wanted
CROSS JOIN json_each(:weights) AS asked
CROSS JOIN memory_words ON partition = :partition AND word = asked.key AND memory = CAST(wanted.value AS BIGINT)
GROUP BY memory;
