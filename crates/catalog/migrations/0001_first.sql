-- The subset that SQLite and PostgreSQL share. BYTEA is PostgreSQL's name for bytes; SQLite keeps them unchanged in a
-- column of that type.

CREATE TABLE notifications (
    id BIGINT NOT NULL PRIMARY KEY,
    receiver TEXT NOT NULL,
    integration TEXT NOT NULL,
    target TEXT NOT NULL,
    group_key TEXT NOT NULL,
    group_labels TEXT NOT NULL,
    reason TEXT NOT NULL,
    alerts TEXT NOT NULL,
    decided_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    parts_delivered BIGINT NOT NULL,
    error TEXT NOT NULL,
    finished_at BIGINT
);

CREATE INDEX notifications_by_receiver ON notifications (receiver, id);
CREATE INDEX notifications_by_state ON notifications (state, id);
CREATE INDEX notifications_by_end ON notifications (finished_at);

CREATE TABLE states (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    content BYTEA NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE TABLE transitions (
    monitor TEXT NOT NULL,
    number BIGINT NOT NULL,
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    found_at BIGINT NOT NULL,
    holds_since BIGINT NOT NULL,
    cause TEXT NOT NULL,
    PRIMARY KEY (monitor, number)
);

CREATE INDEX transitions_by_monitor ON transitions (monitor, found_at);
CREATE INDEX transitions_by_time ON transitions (found_at);
