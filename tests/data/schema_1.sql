-- A data file of schema version 1, with one room: what a later version must still open.
BEGIN TRANSACTION;
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
INSERT INTO "messages" VALUES('room_old','t00000001-0000','local',1,'user','아이는 뭘 좋아해?','complete',NULL,NULL,NULL,NULL,NULL,1760000000000002);
INSERT INTO "messages" VALUES('room_old','t00000001-0001','local',1,'assistant','토마토를 좋아합니다.','complete',NULL,NULL,NULL,NULL,NULL,1760000000000003);
INSERT INTO "messages" VALUES('room_old','t00000002-0000','local',2,'user','What colour?','complete',NULL,NULL,NULL,NULL,NULL,1760000000000004);
INSERT INTO "messages" VALUES('room_old','t00000002-0001','local',2,'assistant','Red.','complete',NULL,NULL,NULL,NULL,NULL,1760000000000005);
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
INSERT INTO "rooms" VALUES('room_old','local','옛 방','user',1,1760000000000000,1760000000000005,4,2,'t00000002-0001',NULL,NULL,'아이는 토마토를 좋아한다.','t00000001-0001',NULL,0,0);
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
INSERT INTO "runs" VALUES('run_old','local','room_old',2,'complete',1760000000000004,1760000000000005,'t00000002-0001',NULL,NULL);
CREATE INDEX rooms_by_activity ON rooms (owner, updated_at, id);
CREATE UNIQUE INDEX runs_by_key ON runs (owner, room, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_by_room ON runs (room);
COMMIT;
PRAGMA user_version = 1;
