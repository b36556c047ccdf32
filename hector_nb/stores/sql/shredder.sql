-- name: must_merge
INSERT OR IGNORE INTO unmerged (part) VALUES (:part);

-- name: part_to_merge
SELECT part FROM unmerged LIMIT 1;

-- name: merged
DELETE FROM unmerged WHERE part = :part;

-- name: must_scrub
UPDATE scrubbing SET erasures = erasures + 1 RETURNING erasures;

-- name: scrubbing
SELECT erasures, scrubbed FROM scrubbing;

-- name: stepped
UPDATE scrubbing SET steps = steps + 1;

-- name: scrubbed
UPDATE scrubbing SET steps = steps + 1, scrubbed = max(scrubbed, :upto);
