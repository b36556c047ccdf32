-- Times are microseconds since 1970. Inside, everything is named by small integers; the ids that callers see are text.

CREATE TABLE sessions (
    key INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    session_id TEXT NOT NULL,
    agent TEXT NOT NULL,
    status TEXT NOT NULL, -- 'active' until it is ended or somebody has noticed that it has expired
    title TEXT NOT NULL,
    metadata TEXT NOT NULL, -- a JSON object
    listed INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_active_at INTEGER NOT NULL,
    expires_at INTEGER,
    message_count INTEGER NOT NULL DEFAULT 0, -- also the position of the newest message
    user_message_count INTEGER NOT NULL DEFAULT 0,
    token_count INTEGER NOT NULL DEFAULT 0,
    UNIQUE (owner, session_id)
) STRICT;

-- A listing of all is merged from one range for each status. The columns after the key spare it the rows.
CREATE INDEX sessions_by_activity ON sessions (owner, status, last_active_at, key, expires_at, listed) WHERE listed;
CREATE INDEX sessions_of_agent ON sessions (owner, agent, status, last_active_at, key, expires_at, listed) WHERE listed;
CREATE INDEX sessions_to_expire ON sessions (expires_at) WHERE status = 'active' AND expires_at IS NOT NULL;

-- place = session << 24 | position: the transcript of a session lies together, and its newest N messages are one range.
CREATE TABLE messages (
    place INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL, -- unique in its session; a fork has the same ones
    turn_id TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    content TEXT NOT NULL,
    extra TEXT -- a JSON object: what most messages do not have
) STRICT;

CREATE INDEX messages_by_id ON messages (message_id);

-- The folded words of what can be searched in listed sessions: rowid is the place of a message, or session << 24 for a title.
-- What is erased here stays in the index's pages until they are merged: `unmerged` tells that it has to be done.
CREATE VIRTUAL TABLE texts USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
INSERT INTO texts (texts, rank) VALUES ('automerge', 8);
INSERT INTO texts (texts, rank) VALUES ('deletemerge', 0);
CREATE TABLE unmerged (only INTEGER PRIMARY KEY CHECK (only = 1)) STRICT;

-- The order of keys is the order in which turns were queued.
CREATE TABLE turns (
    key INTEGER PRIMARY KEY,
    turn_id TEXT NOT NULL UNIQUE,
    session INTEGER NOT NULL REFERENCES sessions,
    status TEXT NOT NULL,
    holder TEXT NOT NULL,
    cancel INTEGER NOT NULL DEFAULT 0,
    message_id TEXT NOT NULL,
    input TEXT, -- the user's message until it is in the transcript
    position INTEGER, -- of the user's message, from then on
    until INTEGER, -- the position of the newest message when the turn was finished
    number INTEGER, -- how many user messages the session had then, this one included
    last_seq INTEGER NOT NULL DEFAULT 0,
    events_until INTEGER, -- when the event log of a finished turn may be erased; NULL once it is
    finish_reason TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    usage_estimated INTEGER,
    created_at INTEGER NOT NULL,
    finished_at INTEGER
) STRICT;

CREATE INDEX turns_of_session ON turns (session);
CREATE INDEX turns_unfinished ON turns (session) WHERE finished_at IS NULL;
CREATE INDEX turns_to_cancel ON turns (holder) WHERE finished_at IS NULL AND cancel;
CREATE INDEX turns_to_sweep ON turns (events_until) WHERE events_until IS NOT NULL;

-- One row a group of events; place = turn << 24 | seq of the group's last event.
CREATE TABLE turn_events (
    place INTEGER PRIMARY KEY,
    payload TEXT NOT NULL -- a JSON array; a string in it is a text delta
) STRICT;

-- Requests that came with an idempotency key, and what they made: a session, or a turn in one.
CREATE TABLE requests (
    owner TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    turn INTEGER REFERENCES turns ON DELETE CASCADE,
    made_at INTEGER NOT NULL,
    PRIMARY KEY (owner, idempotency_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX requests_of_session ON requests (session);
CREATE INDEX requests_of_turn ON requests (turn) WHERE turn IS NOT NULL;
CREATE INDEX requests_to_sweep ON requests (made_at);

CREATE TABLE holders (
    holder TEXT PRIMARY KEY,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which processes have readers of a turn that another one runs.
CREATE TABLE readers (
    turn INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
    holder TEXT NOT NULL,
    PRIMARY KEY (turn, holder)
) STRICT, WITHOUT ROWID;

CREATE INDEX readers_of_holder ON readers (holder);
