-- What the log hangs on, by its effect: one row for each function, trigger, table and column, what it is called and what
-- it does. From the catalogs' own fields and never from text that PostgreSQL writes anew, which differs by version, zone
-- and search path. Functions of extensions are the extensions' own.
WITH log AS (SELECT relowner AS owner FROM pg_class WHERE oid = 'audit.events'::regclass),
tables AS (
    SELECT c.* FROM pg_class c
    WHERE c.relnamespace = 'audit'::regnamespace
        AND c.relname IN ('events', 'sealed', 'seals', 'boundary_leaves', 'archives', 'set_aside')
)
SELECT format('function %s.%s(%s)', n.nspname, p.proname, (
        SELECT string_agg(t.typname, ',' ORDER BY a.place)
        FROM unnest(p.proargtypes) WITH ORDINALITY a (type, place) JOIN pg_type t ON t.oid = a.type)) AS name,
    concat_ws(' ',
        'source=' || encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex'),
        'language=' || l.lanname,
        'kind=' || p.prokind::text,
        'returns=' || CASE WHEN p.proretset THEN 'setof-' ELSE '' END || r.typname,
        'volatility=' || p.provolatile::text,
        'strict=' || p.proisstrict::text,
        'runs-as=' || CASE WHEN p.prosecdef THEN 'owner' ELSE 'caller' END,
        'owner=' || CASE WHEN p.proowner = log.owner THEN 'the-log''s' ELSE 'another' END,
        'settings=' || coalesce((
            SELECT string_agg(lower(split_part(s, '=', 1)) || '=' || translate(substr(s, strpos(s, '=') + 1), ' "', ''), ';'
                ORDER BY lower(s))
            FROM unnest(p.proconfig) s), 'none')) AS says
FROM log, pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
JOIN pg_type r ON r.oid = p.prorettype
WHERE n.nspname IN ('audit', 'public') AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT format('trigger %s on %s.%s', t.tgname, n.nspname, c.relname),
    concat_ws(' ',
        'runs=' || fn.nspname || '.' || f.proname,
        'type=' || t.tgtype,
        'enabled=' || t.tgenabled::text,
        'constraint=' || (t.tgconstraint <> 0)::text,
        'deferrable=' || t.tgdeferrable::text,
        'deferred=' || t.tginitdeferred::text,
        'when=' || CASE WHEN t.tgqual IS NULL THEN 'always' ELSE 'a-condition' END,
        'columns=' || cardinality(t.tgattr::smallint[]),
        'arguments=' || t.tgnargs)
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc f ON f.oid = t.tgfoid
JOIN pg_namespace fn ON fn.oid = f.pronamespace
WHERE n.nspname IN ('audit', 'public') AND NOT t.tgisinternal
UNION ALL
SELECT 'table audit.' || c.relname,
    concat_ws(' ',
        'kind=' || c.relkind::text,
        'persistence=' || c.relpersistence::text,
        'row-security=' || CASE WHEN c.relrowsecurity OR c.relforcerowsecurity THEN 'on' ELSE 'off' END,
        'rules=' || (SELECT count(*) FROM pg_rewrite w WHERE w.ev_class = c.oid),
        'owner=' || CASE WHEN c.relowner = log.owner THEN 'the-log''s' ELSE 'another' END)
FROM log, tables c
UNION ALL
SELECT format('column %s of audit.%s', a.attname, c.relname),
    concat_ws(' ',
        'type=' || t.typname,
        'null=' || (NOT a.attnotnull)::text,
        'computed=' || CASE a.attgenerated WHEN 's' THEN 'yes' ELSE 'no' END,
        'identity=' || CASE a.attidentity WHEN '' THEN 'no' ELSE a.attidentity::text END,
        'default=' || CASE WHEN a.atthasdef AND a.attgenerated = '' THEN 'yes' ELSE 'no' END,
        -- What a default calls, where that is no function of PostgreSQL's own.
        'calls=' || coalesce((
            SELECT string_agg(DISTINCT what.name, ',' ORDER BY what.name)
            FROM pg_attrdef v
            JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = v.oid AND d.deptype = 'n'
            CROSS JOIN LATERAL (
                SELECT s.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace s ON s.oid = p.pronamespace
                WHERE d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
                UNION ALL
                SELECT s.nspname || '.' || q.relname FROM pg_class q JOIN pg_namespace s ON s.oid = q.relnamespace
                WHERE d.refclassid = 'pg_class'::regclass AND q.oid = d.refobjid AND q.relkind = 'S'
            ) what (name)
            WHERE v.adrelid = a.attrelid AND v.adnum = a.attnum), 'nothing'))
FROM tables c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
ORDER BY 1
