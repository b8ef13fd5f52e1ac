"""The schema of the SQLite file as a list of steps: append to it, never change what is there.

The step at index n brings a file from ``user_version`` n to n + 1. Times are microseconds since
1970 in UTC. ``fingerprint_of`` is the archive's fingerprint of a content.
"""

ROOMS = """
CREATE TABLE rooms (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    title TEXT,
    title_source TEXT NOT NULL DEFAULT 'none',
    listed INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    message_count INTEGER NOT NULL DEFAULT 0,
    turns INTEGER NOT NULL DEFAULT 0,
    last_key TEXT,
    open_turn INTEGER,
    open_run TEXT,
    summary TEXT,
    summary_covers TEXT,
    title_covers TEXT,
    deletions INTEGER NOT NULL DEFAULT 0,
    pending_tokens INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX rooms_by_activity ON rooms (owner, updated_at, id);

CREATE TABLE messages (
    room TEXT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    owner TEXT NOT NULL,
    turn INTEGER NOT NULL,
    role TEXT NOT NULL,
    content TEXT NOT NULL,
    status TEXT NOT NULL,
    tool_calls TEXT,
    tool_call_id TEXT,
    tool_name TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (room, key)
) WITHOUT ROWID;

CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    room TEXT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    turn INTEGER,
    status TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    answer_key TEXT,
    idempotency_key TEXT,
    request_digest TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX runs_by_key ON runs (owner, room, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_by_room ON runs (room);
"""

CHECKPOINTS = """
CREATE TABLE checkpoints (
    thread TEXT NOT NULL,
    namespace TEXT NOT NULL,
    id TEXT NOT NULL,
    parent TEXT,
    run TEXT,
    metadata BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (thread, namespace, id)
) WITHOUT ROWID;
CREATE INDEX checkpoints_by_run ON checkpoints (run) WHERE run IS NOT NULL;

CREATE TABLE checkpoint_items (
    thread TEXT NOT NULL,
    namespace TEXT NOT NULL,
    number INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (thread, namespace, number)
) WITHOUT ROWID;

CREATE TABLE checkpoint_writes (
    thread TEXT NOT NULL,
    namespace TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    task TEXT NOT NULL,
    idx INTEGER NOT NULL,
    path TEXT NOT NULL,
    channel TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (thread, namespace, checkpoint, task, idx)
) WITHOUT ROWID;
"""

ARCHIVE = """
CREATE TABLE archives (
    number INTEGER PRIMARY KEY,
    owner TEXT NOT NULL UNIQUE,
    entries INTEGER NOT NULL,
    length INTEGER NOT NULL
);

CREATE TABLE entries (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    category TEXT NOT NULL,
    label TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    size INTEGER NOT NULL,
    source_room TEXT,
    source_key TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    content TEXT NOT NULL
);
CREATE UNIQUE INDEX entries_by_fingerprint ON entries (owner, fingerprint);
CREATE INDEX entries_by_time ON entries (owner, created_at, number);
CREATE INDEX entries_by_category ON entries (owner, category, created_at, number);

CREATE TABLE postings (
    archive INTEGER NOT NULL,
    term TEXT NOT NULL,
    entry INTEGER NOT NULL,
    weight INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (archive, term, entry)
) WITHOUT ROWID;

CREATE TABLE terms (
    archive INTEGER NOT NULL,
    term TEXT NOT NULL,
    entries INTEGER NOT NULL,
    PRIMARY KEY (archive, term)
) WITHOUT ROWID;

CREATE TABLE indexed_entries (
    entry INTEGER PRIMARY KEY REFERENCES entries (number) ON DELETE CASCADE,
    length INTEGER NOT NULL,
    category BLOB NOT NULL,
    weights BLOB NOT NULL
);
"""

FILES = """
ALTER TABLE entries ADD COLUMN files TEXT NOT NULL DEFAULT '[]';
ALTER TABLE entries ADD COLUMN content_blob TEXT;

CREATE TABLE files (
    entry INTEGER NOT NULL REFERENCES entries (number) ON DELETE CASCADE,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    blob TEXT NOT NULL,
    terms BLOB NOT NULL,
    PRIMARY KEY (entry, name)
) WITHOUT ROWID;

CREATE TABLE loose_blobs (
    blob TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    since INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX loose_blobs_by_time ON loose_blobs (since);

CREATE TRIGGER file_deleted AFTER DELETE ON files BEGIN
    INSERT OR REPLACE INTO loose_blobs (blob, owner, since) VALUES (OLD.blob, OLD.owner, 0);
END;
CREATE TRIGGER content_deleted AFTER DELETE ON entries WHEN OLD.content_blob IS NOT NULL BEGIN
    INSERT OR REPLACE INTO loose_blobs (blob, owner, since)
    VALUES (OLD.content_blob, OLD.owner, 0);
END;
CREATE TRIGGER content_replaced AFTER UPDATE OF content_blob ON entries
WHEN OLD.content_blob IS NOT NULL AND OLD.content_blob IS NOT NEW.content_blob BEGIN
    INSERT OR REPLACE INTO loose_blobs (blob, owner, since)
    VALUES (OLD.content_blob, OLD.owner, 0);
END;
"""

USAGE = """
CREATE TABLE usage (
    owner TEXT NOT NULL,
    day TEXT NOT NULL,
    turns INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    PRIMARY KEY (owner, day)
) WITHOUT ROWID;
"""

ACCOUNTS = """
CREATE TABLE users (
    uid TEXT PRIMARY KEY,
    username TEXT NOT NULL,
    folded TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    uid TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (uid);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
"""

VECTORS = """
ALTER TABLE entries ADD COLUMN embedded TEXT NOT NULL DEFAULT '';
CREATE INDEX entries_by_embedding ON entries (owner, embedded);

CREATE TABLE vectors (
    entry INTEGER PRIMARY KEY REFERENCES entries (number) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    model TEXT NOT NULL,
    vector BLOB NOT NULL
);
CREATE INDEX vectors_by_owner ON vectors (owner, model);

CREATE TRIGGER entry_reworded AFTER UPDATE OF label, content, content_blob ON entries
WHEN OLD.label IS NOT NEW.label OR OLD.content IS NOT NEW.content
OR OLD.content_blob IS NOT NEW.content_blob BEGIN
    DELETE FROM vectors WHERE entry = OLD.number;
    UPDATE entries SET embedded = '' WHERE number = OLD.number;
END;
"""

COUNTS = """
INSERT INTO postings (archive, term, entry, weight, length)
SELECT archive, term, 4611686018427387904, entries, 0 FROM terms;
DROP TABLE terms;
CREATE INDEX terms_of_archives ON postings (archive, term) WHERE entry = 4611686018427387904;
"""

FINGERPRINTS = """
UPDATE OR IGNORE entries SET fingerprint = fingerprint_of(content) WHERE content_blob IS NULL;
"""

MIGRATIONS: tuple[str, ...] = (
    ROOMS,
    CHECKPOINTS,
    ARCHIVE,
    FILES,
    USAGE,
    ACCOUNTS,
    VECTORS,
    COUNTS,
    FINGERPRINTS,
)
