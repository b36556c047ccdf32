-- name: newest_summary
SELECT place & 0xFFFFFF, summaries.created_at, summaries.tokens, text, message_id FROM summaries JOIN messages USING (place)
WHERE place > :session << 24 AND place < (:session << 24) + :before
ORDER BY place DESC LIMIT 1;

-- name: insert_summary
INSERT INTO summaries (place, created_at, tokens, text)
SELECT place, :created_at, :tokens, :text FROM messages
WHERE place = (:session << 24) + :position AND message_id = :message_id
RETURNING 1;

-- name: copy_summaries
INSERT INTO summaries (place, created_at, tokens, text)
SELECT (:session << 24) + (place & 0xFFFFFF), created_at, tokens, text FROM summaries
WHERE place > :source << 24 AND place <= (:source << 24) + :upto;

-- name: erase_summaries
DELETE FROM summaries WHERE place > (:session << 24) + :after AND place < (:session + 1) << 24;

-- name: messages_between
SELECT message_id, turn_id, role, content, created_at, tokens, extra FROM messages
WHERE place > (:session << 24) + :after AND place <= (:session << 24) + :upto
ORDER BY place LIMIT :limit;
