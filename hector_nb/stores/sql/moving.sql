-- name: erase_texts
INSERT INTO {texts} ({texts}) VALUES ('delete-all');

-- name: all_vectors
SELECT place >> 32, place & 0xFFFFFFFF, embedder, vector FROM vectors ORDER BY place;
