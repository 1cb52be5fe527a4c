CREATE TABLE tally (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    amount bigint NOT NULL
);
