-- Two persons that turn out to be one: a merge links them for ever and rewrites nothing.

CREATE TABLE person_merge (
    merged_id uuid PRIMARY KEY REFERENCES person,
    kept_id uuid NOT NULL REFERENCES person,
    merged_at timestamptz NOT NULL,
    CONSTRAINT person_is_merged_into_another CHECK (merged_id <> kept_id)
);
CREATE INDEX person_merge_into ON person_merge (kept_id);
COMMENT ON TABLE person_merge IS 'Whoever is known by the one''s certificate or number is the other from then on.';
COMMENT ON COLUMN person_merge.kept_id IS 'May have been merged since: kept() follows the link to its end.';

CREATE TRIGGER person_merge_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON person_merge
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();

CREATE FUNCTION kept(uuid) RETURNS uuid STABLE LANGUAGE sql AS $$
    WITH RECURSIVE link AS (
        SELECT $1 AS person_id
        UNION ALL
        SELECT kept_id FROM link JOIN person_merge ON merged_id = person_id
    )
    SELECT person_id FROM link
    WHERE NOT EXISTS (SELECT FROM person_merge WHERE merged_id = person_id)
$$;

-- Who was kept is insured under the numbers of both; an audit says whose a number is.
-- squawk-ignore ban-drop-constraint
ALTER TABLE enrolment DROP CONSTRAINT enrolment_is_under_a_number_of_the_person;
ALTER TABLE enrolment ADD CONSTRAINT enrolment_is_under_a_number
FOREIGN KEY (pool_admdvs, psn_no) REFERENCES psn_number (pool_admdvs, psn_no) NOT VALID;
COMMENT ON TABLE psn_number IS 'What a pooling area calls a person, or whoever that one was merged into.';
