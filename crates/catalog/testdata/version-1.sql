-- A catalog of version 1 as the program wrote it, table by table. It is never changed.
CREATE TABLE schema_version (version BIGINT NOT NULL);
INSERT INTO schema_version (version) VALUES (1);
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

INSERT INTO states VALUES ('monitor', 'shop', X'0001FF');
INSERT INTO notifications VALUES (
    41, 'ops', 'email[0]', 'ops@example.org', '{}:{alertname="Full"}', '{"alertname":"Full"}', 'first',
    '[{"labels":{"alertname":"Full","device":"sda"},"annotations":{"summary":"it is full"},"starts_at":1760000000000},{"labels":{"alertname":"Full","device":"sdb"},"annotations":{},"starts_at":1760000000000,"ended_at":1760000001000}]',
    1760000001500, 'delivered', 2, 1, 'timeout', 1760000002500
);
INSERT INTO notifications VALUES (
    42, 'ops', 'webhook[0]', 'hooks.example.org', '{}:{}', '{}', 'test', '[]', 1760000003000, 'pending', 0, 0, '', NULL
);
INSERT INTO transitions VALUES ('shop', 1, 'pending', 'up', 1760000000000, 1760000000000, 'the check succeeded');
INSERT INTO transitions VALUES ('shop', 2, 'up', 'down', 1760000009000, 1760000006000, 'connection refused');
