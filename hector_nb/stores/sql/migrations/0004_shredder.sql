-- So that what is erased leaves the files at once, at a cost that one can bear: the full-text index in 16 parts, of which only the one
-- that a session's texts are in (by its key) is merged when the session is erased. Rowids are as they were.

DROP TABLE texts;
DROP TABLE unmerged;

-- Parts of the index in which words of erased texts are left until they are merged.
CREATE TABLE unmerged (part INTEGER PRIMARY KEY) STRICT;

-- How often something was erased, and up to which time the pages were looked through since; `steps` grows with each look.
CREATE TABLE scrubbing (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    erasures INTEGER NOT NULL,
    scrubbed INTEGER NOT NULL,
    steps INTEGER NOT NULL
) STRICT;
INSERT INTO scrubbing (only, erasures, scrubbed, steps) VALUES (1, EXISTS (SELECT 1 FROM sessions), 0, 0);

CREATE VIRTUAL TABLE texts_0 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_1 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_2 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_3 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_4 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_5 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_6 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_7 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_8 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_9 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_10 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_11 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_12 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_13 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_14 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE texts_15 USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');

INSERT INTO texts_0 (texts_0, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_1 (texts_1, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_2 (texts_2, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_3 (texts_3, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_4 (texts_4, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_5 (texts_5, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_6 (texts_6, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_7 (texts_7, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_8 (texts_8, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_9 (texts_9, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_10 (texts_10, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_11 (texts_11, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_12 (texts_12, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_13 (texts_13, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_14 (texts_14, rank) VALUES ('automerge', 8), ('deletemerge', 0);
INSERT INTO texts_15 (texts_15, rank) VALUES ('automerge', 8), ('deletemerge', 0);

CREATE TEMP VIEW searched AS
SELECT key << 24 AS place, title AS text FROM sessions WHERE listed AND title <> ''
UNION ALL
SELECT place, content FROM messages JOIN sessions ON sessions.key = place >> 24 WHERE listed;

INSERT INTO texts_0 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 0;
INSERT INTO texts_1 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 1;
INSERT INTO texts_2 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 2;
INSERT INTO texts_3 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 3;
INSERT INTO texts_4 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 4;
INSERT INTO texts_5 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 5;
INSERT INTO texts_6 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 6;
INSERT INTO texts_7 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 7;
INSERT INTO texts_8 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 8;
INSERT INTO texts_9 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 9;
INSERT INTO texts_10 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 10;
INSERT INTO texts_11 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 11;
INSERT INTO texts_12 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 12;
INSERT INTO texts_13 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 13;
INSERT INTO texts_14 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 14;
INSERT INTO texts_15 (rowid, words) SELECT place, words(text) FROM searched WHERE (place >> 24) % 16 = 15;

DROP VIEW searched;
