-- Settlement: the lines that the provinces owe each other for. Whole fen; lines only grow.

CREATE TABLE line (
    payment_id uuid NOT NULL,
    quota_id uuid NOT NULL,
    period text NOT NULL,
    debtor text NOT NULL,
    creditor text NOT NULL,
    kind text NOT NULL,
    institution text NOT NULL,
    amount bigint NOT NULL,
    captured_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (payment_id, quota_id),
    CONSTRAINT line_owes_something CHECK (amount > 0),
    CONSTRAINT line_kind_is_known CHECK (
        kind IN ('outpatient', 'inpatient', 'pharmacy', 'premium_390', 'premium_410')
    ),
    CONSTRAINT line_of_a_premium_has_no_institution CHECK (
        (kind IN ('premium_390', 'premium_410')) = (institution = '')
    ),
    CONSTRAINT line_falls_into_a_month CHECK (period ~ '^20[0-9]{2}-(0[1-9]|1[0-2])$')
);
CREATE INDEX line_of_period ON line (period, debtor, creditor);
COMMENT ON COLUMN line.debtor IS 'The sharer''s pool, which owes (R15, R18).';
COMMENT ON COLUMN line.creditor IS 'The place of care, whose agency pays the institution; of a premium the enrolment area (R15, R18).';

CREATE TRIGGER line_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON line
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
