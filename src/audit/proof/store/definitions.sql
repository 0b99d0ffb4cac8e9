-- What the log hangs on, by its effect: one row for each function, operator, trigger, table, column, constraint, index and
-- sequence, what it is called and what it does. `pattern` is the name under which the expectation knows it: what stands in
-- a month's partition is the same for every month. From the catalogs' own fields, which do not differ by version or zone.
-- The few expressions are read with the path of pg_catalog alone and without the blanks and brackets in which versions differ.
WITH RECURSIVE log AS (SELECT relowner AS owner FROM pg_class WHERE oid = 'audit.events'::regclass),
partitions AS (
    SELECT i.inhrelid AS oid, p.relname AS parent FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
    WHERE i.inhparent IN ('audit.events'::regclass, 'audit.sealed'::regclass)
    UNION
    SELECT i.inhrelid, p.parent FROM partitions p JOIN pg_inherits i ON i.inhparent = p.oid
),
tables AS (
    SELECT c.*, n.nspname AS schema, p.parent,
        CASE WHEN p.oid IS NULL THEN n.nspname || '.' || c.relname ELSE c.relname END AS called,
        CASE WHEN p.oid IS NULL THEN n.nspname || '.' || c.relname ELSE p.parent || '_MONTH' END AS pattern,
        p.oid IS NOT NULL OR n.nspname = 'audit' AND c.relname IN ('events', 'sealed', 'seals', 'boundary_leaves', 'archives',
            'set_aside') AS of_log
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN partitions p ON p.oid = c.oid
    WHERE p.oid IS NOT NULL OR c.relkind IN ('r', 'p') AND n.nspname IN ('audit', 'public')
),
-- Types, by the schema where they are not PostgreSQL's own.
types AS (
    SELECT t.oid, CASE n.nspname WHEN 'pg_catalog' THEN '' ELSE n.nspname || '.' END || t.typname AS name
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
),
members AS (
    SELECT d.classid, d.objid, e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
),
expressions AS (
    SELECT adrelid, adnum, translate(pg_get_expr(adbin, adrelid), E' \t\n()', '___') AS text FROM pg_attrdef
),
-- Operators that questions to the log are made of.
operators AS (
    SELECT o.oprname, l.typname AS of, o.oprcode FROM pg_operator o JOIN pg_type l ON l.oid = o.oprleft
    WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprleft = o.oprright
        AND o.oprname IN ('=', '<>', '<', '<=', '>', '>=', '||', '~~', '~~*')
        AND l.oid IN ('xid8'::regtype, 'text'::regtype, 'timestamptz'::regtype, 'int8'::regtype, 'int4'::regtype,
            'uuid'::regtype, 'bytea'::regtype, 'date'::regtype, 'bool'::regtype)
),
-- Functions of PostgreSQL's own that ours, the log's columns and its verification are made of.
relied_on AS (
    SELECT unnest(ARRAY['pg_current_xact_id', 'clock_timestamp', 'now', 'transaction_timestamp', 'date_trunc', 'make_interval',
        'timezone', 'timestamptz_mi_interval', 'timestamptz_pl_interval', 'timestamp_mi_interval', 'timestamp_pl_interval',
        'date', 'to_char', 'date_pli', 'to_regclass', 'hashtext', 'pg_advisory_xact_lock', 'format', 'sha256', 'trim_array',
        'cardinality', 'octet_length', 'byteacat', 'textcat', 'lower', 'nextval', 'xid8in', 'xid8out', 'textin', 'textout',
        'timestamptz_in', 'timestamptz_out', 'byteain', 'byteaout', 'int8in', 'int8out', 'jsonb_in', 'jsonb_out', 'uuid_in',
        'uuid_out', 'xid8cmp', 'bttextcmp', 'timestamptz_cmp', 'btint8cmp', 'uuid_cmp', 'byteacmp', 'textsend', 'textrecv',
        'jsonb_send', 'timestamptz_send', 'int8send', 'byteasend', 'xid8send', 'uuid_send', 'pg_get_expr',
        'pg_get_partition_constraintdef', 'convert_to', 'encode', 'translate', 'has_table_privilege',
        'has_any_column_privilege', 'has_column_privilege', 'has_function_privilege', 'pg_has_role', 'aclexplode',
        'current_setting', 'set_config', 'pg_export_snapshot', 'pg_current_snapshot', 'pg_snapshot_xmin', 'pg_snapshot_xmax',
        'pg_control_system']) AS name
    UNION SELECT p.proname FROM operators o JOIN pg_proc p ON p.oid = o.oprcode
),
functions AS (
    SELECT p.*, n.nspname AS schema, l.lanname AS language, m.extname AS extension,
        format('function %s.%s(%s)', n.nspname, p.proname, (
            SELECT string_agg(t.name, ',' ORDER BY a.place)
            FROM unnest(p.proargtypes) WITH ORDINALITY a (type, place) JOIN types t ON t.oid = a.type)) AS name
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_language l ON l.oid = p.prolang
    LEFT JOIN members m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
    -- What an extension brings is C; none has functions in the log's schema. Of PostgreSQL's own three thousand, those that
    -- the log relies on; they are in one of these three languages, and another is somebody's.
    WHERE n.nspname = 'audit'
        OR n.nspname = 'public' AND NOT (m.extname IS NOT NULL AND l.lanname = 'c')
        OR n.nspname = 'pg_catalog' AND (p.proname IN (SELECT name FROM relied_on)
            OR p.oid < 16384 AND l.lanname NOT IN ('internal', 'c', 'sql'))
),
-- Indexes by what they are called, with those of partitions by the name of the log's own.
indexes AS (
    SELECT x.*, t.called, t.pattern, c.relam, c.relpersistence, coalesce(p.relname, c.relname) AS name
    FROM pg_index x
    JOIN tables t ON t.oid = x.indrelid AND t.of_log
    JOIN pg_class c ON c.oid = x.indexrelid
    LEFT JOIN pg_inherits i ON i.inhrelid = x.indexrelid
    LEFT JOIN pg_class p ON p.oid = i.inhparent
),
triggers AS (
    SELECT t.*, r.called, r.pattern, r.of_log FROM pg_trigger t
    JOIN tables r ON r.oid = t.tgrelid
    JOIN pg_proc f ON f.oid = t.tgfoid
    -- Those by which PostgreSQL keeps a constraint are the constraint's own.
    WHERE NOT (t.tgisinternal AND f.pronamespace = 'pg_catalog'::regnamespace AND f.oid < 16384 AND EXISTS (
        SELECT FROM pg_constraint k WHERE k.oid = t.tgconstraint AND k.contype IN ('f', 'p', 'u', 'x')
            AND t.tgrelid IN (k.conrelid, k.confrelid)))
)
SELECT f.name, f.name AS pattern, concat_ws(' ',
    'source=' || encode(sha256(convert_to(f.prosrc, 'UTF8')), 'hex'),
    'body=' || CASE WHEN f.prosqlbody IS NULL THEN 'source' ELSE 'another' END,
    'language=' || f.language,
    'kind=' || f.prokind::text,
    'returns=' || CASE WHEN f.proretset THEN 'setof-' ELSE '' END || r.name,
    'volatility=' || f.provolatile::text,
    'strict=' || f.proisstrict::text,
    'leakproof=' || f.proleakproof::text,
    'parallel=' || f.proparallel::text,
    'defaults=' || f.pronargdefaults,
    'support=' || CASE WHEN f.prosupport = 0 THEN 'none' ELSE 'some' END,
    'runs-as=' || CASE WHEN f.prosecdef THEN 'owner' ELSE 'caller' END,
    'owner=' || CASE WHEN f.proowner = log.owner THEN 'the-log''s' ELSE 'another' END,
    'extension=' || coalesce(f.extension, 'none'),
    'settings=' || coalesce((
        SELECT string_agg(lower(split_part(s, '=', 1)) || '=' || translate(substr(s, strpos(s, '=') + 1), ' "', ''), ';'
            ORDER BY lower(s))
        FROM unnest(f.proconfig) s), 'none')) AS says
FROM log, functions f JOIN types r ON r.oid = f.prorettype
WHERE f.schema <> 'pg_catalog'
UNION ALL
SELECT f.name, f.name, concat_ws(' ',
    'source=' || encode(sha256(convert_to(f.prosrc, 'UTF8')), 'hex'),
    'body=' || CASE WHEN f.prosqlbody IS NULL THEN 'source' ELSE 'another' END,
    'language=' || f.language,
    'made=' || CASE WHEN f.oid < 16384 THEN 'with-the-cluster' ELSE 'later' END)
FROM functions f
WHERE f.schema = 'pg_catalog'
UNION ALL
SELECT format('operator pg_catalog.%s(%s,%s)', o.oprname, o.of, o.of), format('operator pg_catalog.%s(%s,%s)', o.oprname, o.of, o.of),
    'runs=' || n.nspname || '.' || p.proname
FROM operators o JOIN pg_proc p ON p.oid = o.oprcode JOIN pg_namespace n ON n.oid = p.pronamespace
UNION ALL
SELECT 'language ' || l.lanname, 'language ' || l.lanname,
    'handler=' || coalesce((
        SELECT n.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE p.oid = l.lanplcallfoid), 'none')
FROM pg_language l WHERE l.lanname IN ('internal', 'c', 'sql', 'plpgsql')
UNION ALL
SELECT format('trigger %s on %s', t.tgname, t.called), format('trigger %s on %s', t.tgname, t.pattern), concat_ws(' ',
    'runs=' || n.nspname || '.' || f.proname,
    'type=' || t.tgtype,
    'enabled=' || t.tgenabled::text,
    'internal=' || t.tgisinternal::text,
    'constraint=' || (t.tgconstraint <> 0)::text,
    'deferrable=' || t.tgdeferrable::text,
    'deferred=' || t.tginitdeferred::text,
    'when=' || CASE WHEN t.tgqual IS NULL THEN 'always' ELSE 'a-condition' END,
    'columns=' || coalesce((
        SELECT string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_attribute a
        WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr::smallint[])), 'all'),
    'arguments=' || t.tgnargs,
    'kept-rows=' || CASE WHEN t.tgoldtable IS NULL AND t.tgnewtable IS NULL THEN 'none' ELSE 'some' END)
FROM triggers t JOIN pg_proc f ON f.oid = t.tgfoid JOIN pg_namespace n ON n.oid = f.pronamespace
UNION ALL
SELECT kind || t.called, kind || t.pattern, concat_ws(' ',
    'kind=' || t.relkind::text,
    'persistence=' || t.relpersistence::text,
    'method=' || CASE WHEN t.relkind = 'p' THEN 'none' ELSE coalesce((SELECT m.amname FROM pg_am m WHERE m.oid = t.relam), 'none') END,
    'row-security=' || CASE WHEN t.relrowsecurity OR t.relforcerowsecurity
        OR EXISTS (SELECT FROM pg_policy y WHERE y.polrelid = t.oid) THEN 'on' ELSE 'off' END,
    'rules=' || coalesce((SELECT string_agg(w.rulename, ',' ORDER BY w.rulename) FROM pg_rewrite w WHERE w.ev_class = t.oid), 'none'),
    -- What the catalog says of a table before anybody looks: where it says no, what is there does not act.
    'triggers-act=' || (t.relhastriggers OR NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = t.oid))::text,
    'indexes-act=' || (t.relhasindex OR NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = t.oid))::text,
    'checks-act=' || (t.relchecks = (SELECT count(*) FROM pg_constraint k WHERE k.conrelid = t.oid AND k.contype = 'c'))::text,
    'partitions-act=' || CASE WHEN t.relkind = 'p' THEN t.relhassubclass::text ELSE 'none' END,
    'partition=' || t.relispartition::text,
    'children=' || CASE WHEN t.relkind = 'p' THEN 'partitions' ELSE coalesce((
        SELECT string_agg(n.nspname || '.' || c.relname, ',' ORDER BY n.nspname, c.relname)
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE i.inhparent = t.oid), 'none') END,
    'owner=' || CASE WHEN NOT t.of_log OR t.relowner = log.owner THEN 'the-log''s' ELSE 'another' END,
    'columns=' || CASE WHEN t.parent IS NULL THEN 'each' ELSE (
        SELECT encode(sha256(convert_to(string_agg(concat_ws(' ', a.attname, y.name, a.atttypmod, o.collname, a.attnotnull,
            a.attgenerated, e.text), ',' ORDER BY a.attname), 'UTF8')), 'hex')
        FROM pg_attribute a JOIN types y ON y.oid = a.atttypid LEFT JOIN pg_collation o ON o.oid = a.attcollation
        LEFT JOIN expressions e ON e.adrelid = a.attrelid AND e.adnum = a.attnum AND a.attgenerated <> ''
        WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped) END)
FROM log, (SELECT *, CASE WHEN parent IS NULL THEN 'table ' ELSE 'partition ' END AS kind FROM tables) t
UNION ALL
SELECT format('column %s of %s', a.attname, t.called), format('column %s of %s', a.attname, t.pattern), concat_ws(' ',
    'type=' || y.name || CASE WHEN a.atttypmod < 0 THEN '' ELSE ':' || a.atttypmod END,
    'collation=' || coalesce((
        SELECT CASE n.nspname WHEN 'pg_catalog' THEN '' ELSE n.nspname || '.' END || o.collname
        FROM pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace WHERE o.oid = a.attcollation), 'none'),
    'null=' || (NOT a.attnotnull)::text,
    'computed=' || CASE a.attgenerated WHEN 's' THEN 'yes' ELSE 'no' END,
    'identity=' || CASE a.attidentity WHEN '' THEN 'no' ELSE a.attidentity::text END,
    CASE WHEN a.attgenerated = '' THEN 'default=' ELSE 'expression=' END
        || CASE WHEN a.atthasdef THEN coalesce(nullif(e.text, ''), 'empty') ELSE 'none' END)
FROM tables t
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN types y ON y.oid = a.atttypid
LEFT JOIN expressions e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
WHERE t.of_log AND t.parent IS NULL
UNION ALL
SELECT format('constraint %s on %s', name, k.called), format('constraint %s on %s', name, k.pattern), concat_ws(' ',
    'kind=' || k.contype::text,
    'valid=' || k.convalidated::text,
    'enforced=' || coalesce(to_jsonb(k) ->> 'conenforced', 'true'),
    'deferrable=' || k.condeferrable::text,
    'deferred=' || k.condeferred::text,
    'columns=' || coalesce((
        SELECT string_agg(a.attname, ',' ORDER BY c.place) FROM unnest(k.conkey) WITH ORDINALITY c (number, place)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.number), 'none'),
    'condition=' || coalesce(translate(pg_get_expr(k.conbin, k.conrelid), E' \t\n()', '___'), 'none'))
FROM (
    SELECT k.*, t.called, t.pattern, coalesce(p.conname, k.conname) AS name
    FROM pg_constraint k JOIN tables t ON t.oid = k.conrelid AND t.of_log
    LEFT JOIN pg_constraint p ON p.oid = k.conparentid
    -- That a column is not null says the column; from version 18 on it is a constraint, too.
    WHERE k.contype <> 'n'
) k
UNION ALL
SELECT format('index %s on %s', x.name, x.called), format('index %s on %s', x.name, x.pattern), concat_ws(' ',
    'method=' || (SELECT m.amname FROM pg_am m WHERE m.oid = x.relam),
    'persistence=' || x.relpersistence::text,
    'unique=' || x.indisunique::text,
    'primary=' || x.indisprimary::text,
    'at-once=' || x.indimmediate::text,
    'valid=' || x.indisvalid::text,
    'ready=' || x.indisready::text,
    'live=' || x.indislive::text,
    'part=' || CASE WHEN x.indpred IS NULL THEN 'all' ELSE 'some' END,
    'expressions=' || CASE WHEN x.indexprs IS NULL THEN 'none' ELSE 'some' END,
    'columns=' || (
        SELECT string_agg(concat_ws(':', coalesce(a.attname, 'expression'), o.opcname, x.indoption[c.place - 1], l.collname), ','
            ORDER BY c.place)
        FROM unnest(x.indkey::smallint[]) WITH ORDINALITY c (number, place)
        LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = c.number
        LEFT JOIN pg_opclass o ON o.oid = x.indclass[c.place - 1]
        LEFT JOIN pg_collation l ON l.oid = x.indcollation[c.place - 1]),
    -- Whether it runs anybody's functions.
    'calls=' || CASE WHEN x.indexprs IS NOT NULL OR EXISTS (
        SELECT FROM unnest(x.indclass) i (class) JOIN pg_opclass o ON o.oid = i.class
        WHERE o.oid >= 16384 AND NOT EXISTS (SELECT FROM members m WHERE m.classid = 'pg_opclass'::regclass AND m.objid = o.oid)
        UNION ALL
        SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = x.indexrelid
            AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)) THEN 'some' ELSE 'none' END)
FROM indexes x
UNION ALL
SELECT 'sequence audit.' || c.relname, 'sequence audit.' || c.relname, concat_ws(' ',
    'type=' || y.name, 'start=' || s.seqstart, 'step=' || s.seqincrement, 'least=' || s.seqmin, 'most=' || s.seqmax,
    'ahead=' || s.seqcache, 'around=' || s.seqcycle::text, 'persistence=' || c.relpersistence::text)
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN types y ON y.oid = s.seqtypid
WHERE c.relnamespace = 'audit'::regnamespace
UNION ALL
-- An extension's functions are C of its own library.
SELECT 'extension ' || e.extname, 'extension ' || e.extname, 'functions=' || coalesce((
    SELECT string_agg(p.proname, ',' ORDER BY p.proname) FROM members m JOIN pg_proc p ON p.oid = m.objid
    JOIN pg_language l ON l.oid = p.prolang
    WHERE m.classid = 'pg_proc'::regclass AND m.extname = e.extname
        AND (l.lanname <> 'c' OR p.probin NOT IN ('$libdir/' || e.extname, e.extname))), 'its-own')
FROM pg_extension e WHERE e.extname IN ('pg_trgm', 'btree_gin')
ORDER BY 1
