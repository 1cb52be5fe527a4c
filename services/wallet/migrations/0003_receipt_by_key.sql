-- A request is explained by its key alone, whoever sent it.

-- Nothing was released before it, so nobody is served meanwhile.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX receipt_by_key ON receipt USING hash (key);
