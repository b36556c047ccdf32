-- name: put_vector
INSERT INTO vectors (memory, partition, embedder, dimension, vector)
VALUES (:memory, :partition, :embedder, :dimension, CAST(:vector AS vector))
ON CONFLICT (memory) DO UPDATE SET
    embedder = excluded.embedder, dimension = excluded.dimension, vector = excluded.vector;

-- name: erase_vector
DELETE FROM vectors WHERE memory = :memory;

-- name: most_similar
SELECT memory FROM vectors
WHERE partition = :partition AND embedder = :embedder AND dimension = :dimension
    AND memory NOT IN (SELECT CAST(value AS BIGINT) FROM json_each(:hidden))
ORDER BY vector <#> CAST(:vector AS vector), memory DESC LIMIT :limit;

-- name: cosines
SELECT memory, -(vector <#> CAST(:vector AS vector)) FROM vectors
WHERE memory IN (SELECT CAST(value AS BIGINT) FROM json_each(:keys))
    AND partition = :partition AND embedder = :embedder AND dimension = :dimension;

-- name: all_vectors
SELECT partition, memory, embedder, CAST(vector AS TEXT) FROM vectors ORDER BY partition, memory;
