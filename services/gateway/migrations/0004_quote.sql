-- Quotes: what an institution was told a payment would be; a payment may name it for a while.

CREATE TABLE quote (
    quote_id uuid PRIMARY KEY,
    institution text NOT NULL REFERENCES institution (code),
    person_id uuid NOT NULL,
    asked bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON COLUMN quote.asked IS 'SHA-256 of purpose and bill: a payment that names it has the same.';
CREATE INDEX quote_by_age ON quote (expires_at);
