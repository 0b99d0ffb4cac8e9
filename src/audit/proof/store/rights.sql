-- Rights that were given on what belongs to the log, but for reading and but for its owner's: whose, which, on what. Functions
-- that run as their caller give nobody anything.
WITH RECURSIVE partitions AS (
    SELECT inhrelid AS oid FROM pg_inherits WHERE inhparent IN ('audit.events'::regclass, 'audit.sealed'::regclass)
    UNION SELECT i.inhrelid FROM partitions p JOIN pg_inherits i ON i.inhparent = p.oid
),
tables AS (
    SELECT c.*, n.nspname || '.' || c.relname AS thing FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND (n.nspname = 'audit' OR c.oid IN (SELECT oid FROM partitions))
),
given AS (
    SELECT c.oid, a.grantee, lower(a.privilege_type) AS right, c.thing
    FROM tables c, aclexplode(c.relacl) a
    WHERE a.grantee <> c.relowner AND a.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER')
    UNION
    SELECT c.oid, a.grantee, lower(a.privilege_type), c.thing
    FROM tables c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
    WHERE a.grantee <> c.relowner AND a.privilege_type IN ('INSERT', 'UPDATE')
    UNION
    SELECT f.oid, a.grantee, 'run', f.oid::regprocedure::text
    FROM pg_proc f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
    WHERE f.pronamespace = 'audit'::regnamespace AND f.prosecdef AND a.grantee <> f.proowner
        AND EXISTS (SELECT FROM tables WHERE relacl IS NOT NULL)
    UNION
    SELECT n.oid, a.grantee, 'make objects in the schema', n.nspname
    FROM pg_namespace n, aclexplode(n.nspacl) a
    WHERE n.nspname = 'audit' AND a.grantee <> n.nspowner AND a.privilege_type = 'CREATE'
)
SELECT r.rolname::text AS role, g.right, g.thing,
    g.right = 'insert' AND g.oid = 'audit.events'::regclass AS writes,
    g.right = 'insert' AND g.oid = 'audit.seals'::regclass AS seals
FROM given g LEFT JOIN pg_roles r ON r.oid = g.grantee
ORDER BY 1, 3, 2
