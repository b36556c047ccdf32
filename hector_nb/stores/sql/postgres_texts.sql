-- name: put_text
INSERT INTO texts (place, words) VALUES ((:session << 24) + :position, array_to_tsvector(string_to_array(:words, ' ')))
ON CONFLICT (place) DO UPDATE SET words = excluded.words;

-- name: messages_of
SELECT place & 0xFFFFFF, content FROM messages WHERE place > :session << 24 AND place < (:session + 1) << 24;

-- name: erase_title
DELETE FROM texts WHERE place = :session << 24;

-- name: erase_texts
DELETE FROM texts WHERE place > (:session << 24) + :after AND place < (:session + 1) << 24;

-- name: sessions_with
SELECT DISTINCT place >> 24 FROM texts WHERE words @@ CAST(:words AS tsquery);

-- name: look_into
SELECT CAST(value AS BIGINT), count, found FROM json_each(:keys), LATERAL (
    SELECT count(*) AS count, coalesce(bool_or(words @@ CAST(:words AS tsquery)), FALSE) AS found FROM (
        SELECT words FROM texts
        WHERE place >= CAST(value AS BIGINT) << 24 AND place < (CAST(value AS BIGINT) + 1) << 24
        LIMIT :most
    ) AS texts_of_session
) AS looked;
