-- What tools leave behind: calls that wait for a person's word, and outputs of which a message holds only a part.

CREATE TABLE approvals (
    key INTEGER PRIMARY KEY, -- in the order in which they were asked for
    turn INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
    call_id TEXT NOT NULL,
    name TEXT NOT NULL,
    arguments TEXT NOT NULL, -- a JSON object
    created_at INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    decision TEXT,
    edited TEXT, -- a JSON object: the arguments that the person wants instead
    UNIQUE (turn, call_id)
) STRICT;

CREATE TABLE outputs (
    key INTEGER PRIMARY KEY,
    place INTEGER NOT NULL, -- of the tool message
    call_id TEXT NOT NULL,
    content TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX outputs_by_place ON outputs (place, call_id);
CREATE INDEX outputs_of_call ON outputs (call_id, place);
