-- name: has_vector_after
SELECT 1 FROM vectors WHERE place >= (:partition << 32) + :memory AND place < (:partition + 1) << 32;

-- name: vectors_changed
UPDATE partitions SET vectors_changed = vectors_changed + 1 WHERE key = :partition;

-- name: put_vector
INSERT OR REPLACE INTO vectors (place, embedder, vector) VALUES ((:partition << 32) + :memory, :embedder, :vector);

-- name: erase_vector
DELETE FROM vectors WHERE place = (:partition << 32) + :memory;

-- name: vectors_after
SELECT place, vector FROM vectors
WHERE place > :after AND place < (:partition + 1) << 32 AND embedder = :embedder AND length(vector) = :bytes
ORDER BY place;
