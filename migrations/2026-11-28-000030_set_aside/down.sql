CREATE OR REPLACE FUNCTION audit.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT clock_timestamp()';
DROP TABLE audit.set_aside;
