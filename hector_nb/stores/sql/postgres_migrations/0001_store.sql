-- The tables of the SQLite store, with what PostgreSQL does in its own way: words in a tsvector, vectors of pgvector. Times are
-- microseconds since 1970. Texts compare by their bytes, as in SQLite.

-- What queries that are the same for both databases use of SQLite's functions.
CREATE FUNCTION json_each(document text) RETURNS TABLE (key text, value text) LANGUAGE sql IMMUTABLE AS $$
    SELECT pairs.key, pairs.value
    FROM json_each_text(CASE WHEN json_typeof(document::json) = 'object' THEN document::json END) AS pairs
    UNION ALL
    SELECT (place - 1)::text, items.item
    FROM json_array_elements_text(CASE WHEN json_typeof(document::json) = 'array' THEN document::json END)
        WITH ORDINALITY AS items (item, place)
$$;
CREATE FUNCTION instr(haystack text, needle text) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT strpos(haystack, needle)';

CREATE TABLE sessions (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    agent TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL, -- 'active' until it is ended or somebody has noticed that it has expired
    title TEXT COLLATE "C" NOT NULL,
    metadata TEXT COLLATE "C" NOT NULL, -- a JSON object
    listed BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    last_active_at BIGINT NOT NULL,
    expires_at BIGINT,
    message_count BIGINT NOT NULL DEFAULT 0, -- also the position of the newest message
    user_message_count BIGINT NOT NULL DEFAULT 0,
    token_count BIGINT NOT NULL DEFAULT 0,
    mark BIGINT NOT NULL DEFAULT 0, -- long-term memory has taken in the messages up to here
    idle_since BIGINT NOT NULL DEFAULT 0, -- the time of the newest message
    UNIQUE (owner, session_id)
) WITH (fillfactor = 70);

CREATE INDEX sessions_by_activity ON sessions (owner, status, last_active_at, key) WHERE listed;
CREATE INDEX sessions_of_agent ON sessions (owner, agent, status, last_active_at, key) WHERE listed;
CREATE INDEX sessions_to_expire ON sessions (expires_at) WHERE status = 'active' AND expires_at IS NOT NULL;
CREATE INDEX sessions_untaken ON sessions (agent, status, idle_since, key) WHERE listed AND mark < message_count;

-- place = session << 24 | position: the transcript of a session lies together, and its newest N messages are one range.
CREATE TABLE messages (
    place BIGINT PRIMARY KEY,
    message_id TEXT COLLATE "C" NOT NULL, -- unique in its session; a fork has the same ones
    turn_id TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    extra TEXT COLLATE "C" -- a JSON object: what most messages do not have
);

CREATE INDEX messages_by_id ON messages (message_id);

-- The folded words of what can be searched in listed sessions: of the message at a place, or at session << 24 of the title.
CREATE TABLE texts (
    place BIGINT PRIMARY KEY,
    words TSVECTOR NOT NULL
);

CREATE INDEX texts_by_word ON texts USING gin (words);

-- In one session the order of keys is the order in which turns were queued.
CREATE TABLE turns (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    turn_id TEXT COLLATE "C" NOT NULL UNIQUE,
    session BIGINT NOT NULL REFERENCES sessions,
    status TEXT COLLATE "C" NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    cancel BOOLEAN NOT NULL DEFAULT FALSE,
    message_id TEXT COLLATE "C" NOT NULL,
    input TEXT COLLATE "C", -- the user's message until it is in the transcript
    position BIGINT, -- of the user's message, from then on
    until BIGINT, -- the position of the newest message when the turn was finished
    number BIGINT, -- how many user messages the session had then, this one included
    last_seq BIGINT NOT NULL DEFAULT 0,
    events_until BIGINT, -- when the event log of a finished turn may be erased; NULL once it is
    finish_reason TEXT COLLATE "C",
    prompt_tokens BIGINT,
    completion_tokens BIGINT,
    usage_estimated BOOLEAN,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
) WITH (fillfactor = 70);

CREATE INDEX turns_of_session ON turns (session, key);
CREATE INDEX turns_unfinished ON turns (session, key) WHERE finished_at IS NULL;
CREATE INDEX turns_to_cancel ON turns (holder) WHERE finished_at IS NULL AND cancel;
CREATE INDEX turns_to_sweep ON turns (events_until) WHERE events_until IS NOT NULL;

-- One row a group of events; place = turn << 24 | seq of the group's last event.
CREATE TABLE turn_events (
    place BIGINT PRIMARY KEY,
    payload TEXT COLLATE "C" NOT NULL -- a JSON array; a string in it is a text delta
);

-- Requests that came with an idempotency key, and what they made: a session, or a turn in one.
CREATE TABLE requests (
    owner TEXT COLLATE "C" NOT NULL,
    idempotency_key TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    session BIGINT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    turn BIGINT REFERENCES turns ON DELETE CASCADE,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (owner, idempotency_key)
);

CREATE INDEX requests_of_session ON requests (session);
CREATE INDEX requests_of_turn ON requests (turn) WHERE turn IS NOT NULL;
CREATE INDEX requests_to_sweep ON requests (made_at);

CREATE TABLE holders (
    holder TEXT COLLATE "C" PRIMARY KEY,
    seen_at BIGINT NOT NULL
);

-- Which processes have readers of a turn that another one runs.
CREATE TABLE readers (
    turn BIGINT NOT NULL REFERENCES turns ON DELETE CASCADE,
    holder TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (turn, holder)
);

CREATE INDEX readers_of_holder ON readers (holder);

-- place as in messages: of the last message that the summary covers.
CREATE TABLE summaries (
    place BIGINT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    text TEXT COLLATE "C" NOT NULL
);

-- What one session may recall.
CREATE TABLE partitions (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope TEXT COLLATE "C" NOT NULL,
    agent TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL, -- '' where it is everybody's
    session_id TEXT COLLATE "C" NOT NULL, -- '' where it is not of one session
    memory_count BIGINT NOT NULL DEFAULT 0,
    length BIGINT NOT NULL DEFAULT 0, -- words of all memories
    vectors_changed BIGINT NOT NULL DEFAULT 0,
    UNIQUE (scope, agent, owner, session_id)
);

CREATE TABLE embedders (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE memories (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    memory_id TEXT COLLATE "C" NOT NULL UNIQUE,
    partition BIGINT NOT NULL REFERENCES partitions,
    owner TEXT COLLATE "C" NOT NULL, -- who gave it
    session BIGINT REFERENCES sessions ON DELETE SET NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    last_position BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    corrected_at BIGINT,
    version BIGINT NOT NULL DEFAULT 1,
    tokens BIGINT NOT NULL,
    same BYTEA NOT NULL, -- a hash of giver and text, alike where the texts are but for case and space
    length BIGINT NOT NULL, -- words
    word_count BIGINT NOT NULL, -- rows in memory_words
    embedder BIGINT NOT NULL DEFAULT 0, -- whose vector it has; 0: none
    message_ids TEXT COLLATE "C" NOT NULL, -- a JSON array
    text TEXT COLLATE "C" NOT NULL
);

CREATE INDEX memories_of_partition ON memories (partition, created_at, key);
CREATE INDEX memories_alike ON memories (partition, same);
CREATE INDEX memories_of_session ON memories (session, last_position) WHERE session IS NOT NULL;
CREATE INDEX memories_of_embedder ON memories (embedder, key, partition);

-- Texts that were corrected since, for the ledgers that show them.
CREATE TABLE memory_versions (
    memory BIGINT NOT NULL REFERENCES memories ON DELETE CASCADE,
    version BIGINT NOT NULL,
    corrected_at BIGINT,
    tokens BIGINT NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (memory, version)
);

-- Which memory has which stemmed word, and how often. The memory's length is here too, so that a score needs no other row.
CREATE TABLE memory_words (
    partition BIGINT NOT NULL,
    word TEXT COLLATE "C" NOT NULL,
    memory BIGINT NOT NULL,
    count BIGINT NOT NULL,
    length BIGINT NOT NULL,
    PRIMARY KEY (partition, word, memory) INCLUDE (count, length)
);

-- Vectors of different embedders have different dimensions, so there is no approximate index: a search looks at one partition.
CREATE TABLE vectors (
    memory BIGINT PRIMARY KEY REFERENCES memories ON DELETE CASCADE,
    partition BIGINT NOT NULL,
    embedder BIGINT NOT NULL REFERENCES embedders,
    dimension BIGINT NOT NULL,
    vector VECTOR NOT NULL
);

CREATE INDEX vectors_of_partition ON vectors (partition, embedder);

-- Texts that the ledgers of many turns share.
CREATE TABLE prompts (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    text TEXT COLLATE "C" NOT NULL
);

CREATE TABLE ledgers (
    turn BIGINT PRIMARY KEY REFERENCES turns ON DELETE CASCADE,
    system BIGINT REFERENCES prompts,
    tools BIGINT REFERENCES prompts,
    record TEXT COLLATE "C" NOT NULL -- a JSON array
);

CREATE INDEX ledgers_of_system ON ledgers (system) WHERE system IS NOT NULL;
CREATE INDEX ledgers_of_tools ON ledgers (tools) WHERE tools IS NOT NULL;

-- What tools leave behind: calls that wait for a person's word, and outputs of which a message holds only a part.
CREATE TABLE approvals (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- in the order in which they were asked for
    turn BIGINT NOT NULL REFERENCES turns ON DELETE CASCADE,
    call_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    arguments TEXT COLLATE "C" NOT NULL, -- a JSON object
    created_at BIGINT NOT NULL,
    deadline BIGINT NOT NULL,
    decision TEXT COLLATE "C",
    edited TEXT COLLATE "C", -- a JSON object: the arguments that the person wants instead
    UNIQUE (turn, call_id)
);

CREATE TABLE outputs (
    key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    place BIGINT NOT NULL, -- of the tool message
    call_id TEXT COLLATE "C" NOT NULL,
    content TEXT COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX outputs_by_place ON outputs (place, call_id);
CREATE INDEX outputs_of_call ON outputs (call_id, place);
