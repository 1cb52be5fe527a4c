-- What provinces tell of institutions: it wins over what a file said when they were registered.

CREATE TABLE institution_told (
    code text NOT NULL,
    valid_from date NOT NULL,
    valid_to date,
    told_at timestamptz NOT NULL,
    name text NOT NULL,
    level text NOT NULL,
    mdtrtarea_admvs text NOT NULL,
    active boolean NOT NULL,
    wallet_enabled boolean NOT NULL,
    PRIMARY KEY (code, valid_from),
    CONSTRAINT institution_told_has_a_code CHECK (code ~ '^[HP][0-9]{11}$'),
    CONSTRAINT institution_told_has_an_area CHECK (mdtrtarea_admvs ~ '^[0-9]{6}$')
);
COMMENT ON COLUMN institution_told.valid_from IS 'Beijing days, both included; of those that have begun the one told last holds.';

CREATE VIEW institution_now AS
SELECT
    owner.code,
    coalesce(told.name, owner.name) AS name,
    owner.kind,
    coalesce(told.mdtrtarea_admvs, owner.mdtrtarea_admvs) AS mdtrtarea_admvs,
    coalesce(told.enabled, owner.wallet_enabled) AS wallet_enabled
FROM institution AS owner
LEFT JOIN LATERAL (
    SELECT
        institution_told.name,
        institution_told.mdtrtarea_admvs,
        institution_told.active AND institution_told.wallet_enabled
        AND coalesce(institution_told.valid_to, day.today) >= day.today AS enabled
    FROM institution_told
    CROSS JOIN (SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date AS today) AS day
    WHERE institution_told.code = owner.code AND institution_told.valid_from <= day.today
    ORDER BY institution_told.told_at DESC
    LIMIT 1
) AS told ON true;
COMMENT ON VIEW institution_now IS 'Institutions as they are today, Beijing (R18, R27).';
