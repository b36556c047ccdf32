-- The number of the last transaction of each process that writes. A process whose commit was not answered sees by it whether that was
-- carried out: after a crash of the server, the id of a lost transaction may be given to another.
CREATE TABLE writers (
    writer TEXT PRIMARY KEY,
    number BIGINT NOT NULL,
    written_at TIMESTAMPTZ NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
