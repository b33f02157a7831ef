-- Who may come in: users, teams, tokens, keys, sessions, and what was done. Flags are 0 or 1. A hash or a key is bytes.

CREATE TABLE directory (
    id BIGINT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    last_audit BIGINT NOT NULL
);

INSERT INTO directory (id, revision, last_audit) VALUES (1, 0, 0);

CREATE TABLE users (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    password TEXT,
    identity TEXT,
    is_disabled BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE UNIQUE INDEX users_by_identity ON users (identity);

CREATE TABLE teams (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT
);

CREATE TABLE team_members (
    team TEXT NOT NULL REFERENCES teams (name),
    member TEXT NOT NULL REFERENCES users (name),
    PRIMARY KEY (team, member)
);

CREATE INDEX team_members_by_member ON team_members (member);

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    hash BYTEA NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT
);

CREATE TABLE signing_keys (
    id TEXT NOT NULL PRIMARY KEY,
    secret BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL REFERENCES users (name),
    epoch BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX sessions_by_owner ON sessions (owner, created_at, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE audit (
    id BIGINT NOT NULL PRIMARY KEY,
    done_at BIGINT NOT NULL,
    who TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    object_before TEXT NOT NULL,
    object_after TEXT NOT NULL
);

CREATE INDEX audit_by_time ON audit (done_at, id);
