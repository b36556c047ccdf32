-- name: insert_title
INSERT OR REPLACE INTO {texts} (rowid, words) VALUES (:session << 24, :words);

-- name: insert_text
INSERT INTO {texts} (rowid, words) VALUES ((:session << 24) + :position, :words);

-- name: insert_texts
INSERT INTO {texts} (rowid, words)
SELECT place, words(content) FROM messages WHERE place > :session << 24 AND place < (:session + 1) << 24;

-- name: erase_title
DELETE FROM {texts} WHERE rowid = :session << 24;

-- name: erase_texts
DELETE FROM {texts} WHERE rowid > (:session << 24) + :after AND rowid < (:session + 1) << 24;

-- name: sessions_with
SELECT DISTINCT rowid >> 24 FROM {texts} WHERE {texts} MATCH :words;

-- name: merge
INSERT INTO {texts} ({texts}, rank) VALUES ('merge', :pages);
