-- Sessions: keys for half a day, so that the costly signature is paid once.

CREATE TABLE session (
    key_id text PRIMARY KEY,
    institution text NOT NULL REFERENCES institution (code),
    begun_by text NOT NULL REFERENCES institution_key (key_id),
    sealed_key text NOT NULL,
    begun_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT session_is_named_as_one CHECK (key_id LIKE 'session-%'),
    CONSTRAINT session_expires_after_it_begins CHECK (expires_at > begun_at),
    CONSTRAINT session_lasts_half_a_day_at_most CHECK (
        expires_at <= begun_at + interval '12 hours'
    )
);
COMMENT ON COLUMN session.begun_by IS 'The session dies with this key, or when it comes back anew.';
COMMENT ON COLUMN session.sealed_key IS 'The shared key, under the keys that seal presences.';
CREATE INDEX session_by_institution ON session (institution, expires_at);
CREATE INDEX session_by_age ON session (expires_at);
