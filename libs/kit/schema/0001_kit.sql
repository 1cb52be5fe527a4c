-- What the kit keeps in every cell: locks, receipts, what is to be published, what was consumed.

CREATE TABLE anchor (
    owner uuid PRIMARY KEY
);
COMMENT ON TABLE anchor IS 'One row an owner of books; the only rows the door locks, in key order.';

CREATE TABLE receipt (
    caller text NOT NULL,
    scope uuid NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status smallint NOT NULL,
    body text NOT NULL,
    answered_at timestamptz NOT NULL,
    PRIMARY KEY (caller, scope, key),
    CONSTRAINT receipt_remembers_final_answers_only CHECK (
        status BETWEEN 200 AND 499 AND status NOT IN (401, 403, 429)
    ),
    CONSTRAINT receipt_key_has_a_length CHECK (length(key) BETWEEN 1 AND 255)
);
COMMENT ON COLUMN receipt.fingerprint IS 'Of what was asked; empty for a key that was withdrawn before anything was.';
COMMENT ON COLUMN receipt.body IS 'The exact text of the answer: a replay is byte for byte.';

CREATE TABLE outbox (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    data bytea NOT NULL,
    traceparent text,
    written_at timestamptz NOT NULL,
    CONSTRAINT outbox_sequence_is_used_once UNIQUE (topic, key, sequence)
);

-- A mark on the event itself would rewrite it, and each of its index entries, once more.
CREATE TABLE unpublished (
    position bigint PRIMARY KEY
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, vacuum_truncate = false
);
COMMENT ON TABLE unpublished IS 'Events of the outbox that Kafka has not acknowledged yet.';

CREATE TABLE outbox_sequence (
    topic text NOT NULL,
    key text NOT NULL,
    last bigint NOT NULL,
    PRIMARY KEY (topic, key),
    CONSTRAINT outbox_sequence_starts_at_one CHECK (last >= 1)
) WITH (fillfactor = 70);

CREATE TABLE consumed (
    source text NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    last_sequence bigint NOT NULL,
    PRIMARY KEY (source, topic, key),
    CONSTRAINT consumed_starts_at_one CHECK (last_sequence >= 1)
);

CREATE TABLE parked (
    parked_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    key text,
    headers jsonb NOT NULL,
    value bytea,
    reason text NOT NULL,
    attempts integer NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    published_at timestamptz,
    resolved_at timestamptz,
    CONSTRAINT parked_record_is_parked_once UNIQUE (topic, partition, record_offset)
);
CREATE INDEX parked_waiting ON parked (topic, key, parked_id) WHERE resolved_at IS NULL;
CREATE INDEX parked_unpublished ON parked (parked_id) WHERE published_at IS NULL;

CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is forbidden: its rows only grow', tg_op, tg_table_name
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER receipt_only_grows BEFORE UPDATE ON receipt
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER outbox_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON outbox
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
