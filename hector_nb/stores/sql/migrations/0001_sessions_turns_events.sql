-- Times are microseconds since 1970. Inside, everything is named by small integers; the ids that callers see are text.

CREATE TABLE sessions (
    key INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    session_id TEXT NOT NULL,
    agent TEXT NOT NULL,
    title TEXT NOT NULL,
    metadata TEXT NOT NULL, -- a JSON object
    listed INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_active_at INTEGER NOT NULL,
    expires_at INTEGER,
    ended_at INTEGER,
    message_count INTEGER NOT NULL DEFAULT 0, -- also the position of the newest message
    user_message_count INTEGER NOT NULL DEFAULT 0,
    token_count INTEGER NOT NULL DEFAULT 0,
    UNIQUE (owner, session_id)
) STRICT;

-- The last columns let a listing by status skip rows without leaving the index.
CREATE INDEX sessions_by_activity ON sessions (owner, last_active_at, key, ended_at, expires_at) WHERE listed;
CREATE INDEX sessions_of_agent ON sessions (owner, agent, last_active_at, key, ended_at, expires_at) WHERE listed;
CREATE INDEX sessions_ended ON sessions (owner, last_active_at) WHERE listed AND ended_at IS NOT NULL;

-- The folded words of the titles of listed sessions; rowid = sessions.key.
CREATE VIRTUAL TABLE titles USING fts5 (words, tokenize = "unicode61 remove_diacritics 0");
INSERT INTO titles (titles, rank) VALUES ('secure-delete', 1);

-- place = session << 24 | position: the transcript of a session lies together, and its newest N messages are one range.
CREATE TABLE messages (
    place INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    turn_id TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    content TEXT NOT NULL,
    extra TEXT -- a JSON object: what most messages do not have
) STRICT;

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

CREATE TABLE holders (
    holder TEXT PRIMARY KEY,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
