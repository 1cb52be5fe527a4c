-- The month: every line of it is an entry that touches `spent`, and says which month that is.

-- Nothing was released before it, so no table is large and nobody is served meanwhile.
-- squawk-ignore-file constraint-missing-not-valid, require-concurrent-index-creation
-- squawk-ignore-file adding-not-nullable-field

ALTER TABLE entry ADD COLUMN period text, ADD COLUMN refund_id uuid;
COMMENT ON COLUMN entry.period IS
'Beijing month in which a line is cleared: of what is spent, or given back; else null (R15, R22).';
COMMENT ON COLUMN entry.refund_id IS 'The opposite row that a line belongs to; null in the payment''s own.';

-- What there is so far gets its month, once; from here on the books only grow again.
ALTER TABLE entry DISABLE TRIGGER entry_only_grows;
UPDATE entry SET period = payment.period
FROM payment
WHERE payment.payment_id = entry.payment_id AND entry.target = 'spent';
UPDATE entry SET period = refund.period, refund_id = refund.refund_id
FROM refund
WHERE refund.payment_id = entry.payment_id AND refund.kind = 'retake' AND refund.at = entry.at
AND entry.source = 'available' AND entry.target = 'spent';
-- An entry that gives back has a credit ordered beside it, which names its row.
WITH given AS (
    SELECT
        entry_id, payment_id, quota_id, amount, at,
        row_number() OVER (PARTITION BY payment_id, quota_id, amount, at ORDER BY entry_id) AS n
    FROM entry
    WHERE source = 'spent'
),
ordered AS (
    SELECT
        refund_id, payment_id, quota_id, amount, sent_at AS at,
        row_number() OVER (
            PARTITION BY payment_id, quota_id, amount, sent_at ORDER BY order_id
        ) AS n
    FROM account_order
    WHERE kind = 'credit'
)
UPDATE entry SET period = refund.period, refund_id = refund.refund_id
FROM given
JOIN ordered USING (payment_id, quota_id, amount, at, n)
JOIN refund USING (refund_id)
WHERE entry.entry_id = given.entry_id;
ALTER TABLE entry ENABLE TRIGGER entry_only_grows;

ALTER TABLE entry
ADD CONSTRAINT entry_is_of_a_month_where_it_is_a_line CHECK (
    ('spent' IN (source, target)) = (period IS NOT NULL) AND period LIKE '20__-__'
),
ADD CONSTRAINT entry_of_a_line_belongs_to_a_payment CHECK (
    period IS NULL OR payment_id IS NOT NULL
),
ADD CONSTRAINT entry_names_the_row_it_gives_back_for CHECK (
    CASE
        WHEN source = 'spent' THEN refund_id IS NOT NULL
        WHEN source = 'available' AND target = 'spent' THEN true  -- paid, or charged again
        ELSE refund_id IS NULL
    END
);

-- Entries come in the order of their months, but for seconds around each midnight: a summary of
-- some pages a month finds them all, and a payment hardly pays for it.
CREATE INDEX entry_of_period ON entry USING brin (period) WITH (autosummarize = on)
WHERE period IS NOT NULL;

-- Months are cut one after another, and those before the first fact need no cut.
UPDATE clearing_clock SET last_cut = to_char(
    to_date(
        least(
            to_char(clock_timestamp() AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM'),
            (SELECT min(period) FROM payment)
        ),
        'YYYY-MM'
    ) - interval '1 month',
    'YYYY-MM'
);
ALTER TABLE clearing_clock ALTER COLUMN last_cut SET NOT NULL;
COMMENT ON COLUMN clearing_clock.last_cut IS
'The last month that was cut, Beijing; at first the one before the wallet was installed.';

CREATE TABLE period_cut (
    period text PRIMARY KEY,
    cut_at timestamptz NOT NULL,
    last_entry bigint NOT NULL,
    told_at timestamptz,
    CONSTRAINT period_cut_is_of_a_month CHECK (period ~ '^20[0-9]{2}-(0[1-9]|1[0-2])$')
);
COMMENT ON TABLE period_cut IS 'Months that were cut: nothing falls into them any more.';
COMMENT ON COLUMN period_cut.last_entry IS
'The last entry there was: no clock decides which entries came before the cut. 0 where there was none.';
COMMENT ON COLUMN period_cut.told_at IS
'cut -> told: what its lines add up to was published; null until then, which a sweep does not let be.';

CREATE TRIGGER period_cut_is_never_deleted BEFORE DELETE OR TRUNCATE ON period_cut
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER period_cut_is_told_once BEFORE UPDATE ON period_cut
FOR EACH ROW WHEN (
    old.told_at IS NOT NULL
    OR (new.period, new.cut_at, new.last_entry) IS DISTINCT FROM (old.period, old.cut_at, old.last_entry)
)
EXECUTE FUNCTION forbid_change();
