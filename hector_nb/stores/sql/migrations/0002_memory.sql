-- What is remembered: summaries, memories, and the ledgers of what models saw.

-- Long-term memory has taken in the messages up to the mark; what was said before there was one stays as it is.
ALTER TABLE sessions ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN idle_since INTEGER NOT NULL DEFAULT 0; -- the time of the newest message
UPDATE sessions SET mark = message_count, idle_since = ifnull(
    (SELECT messages.created_at FROM messages WHERE place = (sessions.key << 24) + message_count), 0
);
CREATE INDEX sessions_untaken ON sessions (agent, status, idle_since, key, expires_at) WHERE listed AND mark < message_count;

-- place as in messages: of the last message that the summary covers.
CREATE TABLE summaries (
    place INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;

-- What one session may recall. Keys are never used again: they name what other processes hold in their caches.
CREATE TABLE partitions (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    agent TEXT NOT NULL,
    owner TEXT NOT NULL, -- '' where it is everybody's
    session_id TEXT NOT NULL, -- '' where it is not of one session
    memory_count INTEGER NOT NULL DEFAULT 0,
    length INTEGER NOT NULL DEFAULT 0, -- words of all memories
    vectors_changed INTEGER NOT NULL DEFAULT 0, -- how often its vectors changed in another way than that one was added at the end
    UNIQUE (scope, agent, owner, session_id)
) STRICT;

CREATE TABLE embedders (
    key INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE memories (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    memory_id TEXT NOT NULL UNIQUE,
    partition INTEGER NOT NULL REFERENCES partitions,
    owner TEXT NOT NULL, -- who gave it
    session INTEGER REFERENCES sessions ON DELETE SET NULL,
    session_id TEXT NOT NULL,
    last_position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    corrected_at INTEGER,
    version INTEGER NOT NULL DEFAULT 1,
    tokens INTEGER NOT NULL,
    same BLOB NOT NULL, -- a hash of giver and text, alike where the texts are but for case and space
    length INTEGER NOT NULL, -- words
    word_count INTEGER NOT NULL, -- rows in memory_words
    embedder INTEGER NOT NULL DEFAULT 0, -- whose vector it has; 0: none
    message_ids TEXT NOT NULL, -- a JSON array
    text TEXT NOT NULL
) STRICT;

CREATE INDEX memories_of_partition ON memories (partition, created_at, key);
CREATE INDEX memories_alike ON memories (partition, same);
CREATE INDEX memories_of_session ON memories (session, last_position) WHERE session IS NOT NULL;
CREATE INDEX memories_of_embedder ON memories (embedder, key, partition);

-- Texts that were corrected since, for the ledgers that show them.
CREATE TABLE memory_versions (
    memory INTEGER NOT NULL REFERENCES memories ON DELETE CASCADE,
    version INTEGER NOT NULL,
    corrected_at INTEGER,
    tokens INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (memory, version)
) STRICT, WITHOUT ROWID;

-- Which memory has which stemmed word, and how often. The memory's length is here too, so that a score needs no other row.
CREATE TABLE memory_words (
    partition INTEGER NOT NULL,
    word TEXT NOT NULL,
    memory INTEGER NOT NULL,
    count INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (partition, word, memory)
) STRICT, WITHOUT ROWID;

-- place = partition << 32 | memory: the vectors of a partition lie together.
CREATE TABLE vectors (
    place INTEGER PRIMARY KEY,
    embedder INTEGER NOT NULL REFERENCES embedders,
    vector BLOB NOT NULL
) STRICT;

-- Texts that the ledgers of many turns share.
CREATE TABLE prompts (
    key INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    text TEXT NOT NULL
) STRICT;

CREATE TABLE ledgers (
    turn INTEGER PRIMARY KEY REFERENCES turns ON DELETE CASCADE,
    system INTEGER REFERENCES prompts,
    tools INTEGER REFERENCES prompts,
    record TEXT NOT NULL -- a JSON array
) STRICT;

CREATE INDEX ledgers_of_system ON ledgers (system) WHERE system IS NOT NULL;
CREATE INDEX ledgers_of_tools ON ledgers (tools) WHERE tools IS NOT NULL;
