-- The public door: which institutions may ask, by which keys, and what they have asked lately.

CREATE TABLE institution (
    code text PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL,
    mdtrtarea_admvs text NOT NULL,
    wallet_enabled boolean NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT institution_code_has_eleven_digits CHECK (code ~ '^[HP][0-9]{11}$'),
    CONSTRAINT institution_kind_fits_its_code CHECK (
        (kind, left(code, 1)) IN (('hospital', 'H'), ('pharmacy', 'P'))
    ),
    CONSTRAINT institution_area_is_a_code CHECK (mdtrtarea_admvs ~ '^[0-9]{6}$')
);

CREATE TABLE institution_key (
    key_id text PRIMARY KEY,
    institution text NOT NULL REFERENCES institution (code),
    slot smallint NOT NULL,
    algorithm text NOT NULL,
    public_key text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    CONSTRAINT institution_key_has_one_of_two_slots CHECK (slot IN (1, 2)),
    CONSTRAINT institution_key_ends_after_it_begins CHECK (valid_to >= valid_from),
    CONSTRAINT institution_key_is_not_named_as_a_session CHECK (key_id NOT LIKE 'session-%')
);
CREATE UNIQUE INDEX institution_has_at_most_two_live_keys
ON institution_key (institution, slot) WHERE valid_to IS NULL;
COMMENT ON COLUMN institution_key.valid_to IS 'Live while NULL; two live keys allow a rotation.';

CREATE TABLE nonce (
    key_id text NOT NULL,
    nonce text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (key_id, nonce)
);
COMMENT ON COLUMN nonce.created_at IS 'As the signer wrote it: a replay carries the same.';
-- Rows come in the order of their time, so the smallest kind of index finds the old ones.
CREATE INDEX nonce_by_age ON nonce USING brin (created_at) WITH (autosummarize = on);

-- A presence is asked for before its person is known: its replay is found without the person.
-- The kit made this table in the same run; nobody writes to it yet.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX receipt_by_caller_and_key ON receipt (caller, key);
