-- name: number
INSERT INTO writers (writer, number) VALUES (:writer, :number)
ON CONFLICT (writer) DO UPDATE SET number = excluded.number, written_at = now();

-- name: last_number
SELECT number FROM writers WHERE writer = :writer;

-- name: remove
DELETE FROM writers WHERE writer = :writer;

-- name: remove_old
DELETE FROM writers WHERE written_at < now() - INTERVAL '1 day';
