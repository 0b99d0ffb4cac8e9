-- What role $1 can do beyond what Tyrian gives it, a sentence each. $2: whether it seals, archives and drops; $3: the role
-- that does. Grave is what lets it change the log; the rest lets it make things whose names others might use.
WITH role AS (SELECT * FROM pg_roles WHERE rolname = $1),
of_audit AS (
    SELECT c.oid, c.relname FROM pg_class c WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'p')
),
grown AS (SELECT relname FROM of_audit WHERE relname IN ('seals', 'sealed', 'boundary_leaves')),
kept AS (
    SELECT unnest(ARRAY['field_history', 'report_revisions', 'report_publications', 'report_moves', 'outcome_corrections',
        'library_procedure_versions', '__diesel_schema_migrations']) AS relname
)
SELECT format('%s %s', $1, fault) AS sentence,
    NOT starts_with(fault, 'may make temporary') AND NOT starts_with(fault, 'may make schemas')
        AND NOT starts_with(fault, 'may make objects in the schema public') AS grave
FROM (
    SELECT 'is a superuser: ALTER ROLE … NOSUPERUSER, or give the app a role of its own' AS fault FROM role WHERE rolsuper
    UNION ALL
    SELECT 'may make roles, databases or replicas, or pass by row security: ALTER ROLE … NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS'
        FROM role WHERE NOT rolsuper AND (rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
    UNION ALL
    SELECT format('is, or may become, the role %s: give the app a role of its own that is no member of it', o.rolname)
        FROM role r, pg_roles o
        WHERE NOT r.rolsuper AND pg_has_role(r.oid, o.oid, 'MEMBER') AND (
            o.oid = (SELECT relowner FROM pg_class WHERE oid = 'audit.events'::regclass)
            OR o.rolname = $3 AND o.oid <> r.oid
            OR o.rolname IN ('pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program',
                'pg_maintain', 'pg_database_owner') AND o.oid <> r.oid)
    UNION ALL
    SELECT format('may make temporary objects: as owner of the database REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC, %I',
            current_database(), $1)
        FROM role WHERE NOT rolsuper AND has_database_privilege($1, current_database(), 'TEMPORARY')
    UNION ALL
    SELECT format('may make schemas: as owner of the database REVOKE CREATE ON DATABASE %I FROM PUBLIC, %I', current_database(), $1)
        FROM role WHERE NOT rolsuper AND has_database_privilege($1, current_database(), 'CREATE')
    UNION ALL
    SELECT format('may make objects in the schema %s: as its owner REVOKE CREATE ON SCHEMA %I FROM PUBLIC, %I', n.nspname, n.nspname, $1)
        FROM role, pg_namespace n
        WHERE NOT rolsuper AND n.nspname IN ('public', 'audit') AND has_schema_privilege($1, n.oid, 'CREATE')
    UNION ALL
    SELECT format('owns %s', c.oid::regclass) FROM role r JOIN pg_class c ON c.relowner = r.oid
        WHERE c.relnamespace IN ('public'::regnamespace, 'audit'::regnamespace) AND NOT r.rolsuper
    UNION ALL
    SELECT format('owns %s', f.oid::regprocedure) FROM role r JOIN pg_proc f ON f.proowner = r.oid
        WHERE f.pronamespace IN ('public'::regnamespace, 'audit'::regnamespace) AND NOT r.rolsuper
    UNION ALL
    SELECT format('owns the schema %s', n.nspname) FROM role r JOIN pg_namespace n ON n.nspowner = r.oid
        WHERE n.nspname IN ('public', 'audit') AND NOT r.rolsuper
    UNION ALL
    SELECT format('owns the database %s', d.datname) FROM role r JOIN pg_database d ON d.datdba = r.oid
        WHERE d.datname = current_database() AND NOT r.rolsuper
    UNION ALL
    SELECT format('may empty %s, or hang a trigger on it', c.relname) FROM role, pg_class c
        WHERE NOT rolsuper AND c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
            AND has_table_privilege($1, c.oid, 'TRUNCATE, TRIGGER')
    UNION ALL
    SELECT format('may change or empty audit.%s', t.relname) FROM role, of_audit t
        WHERE NOT rolsuper AND (has_any_column_privilege($1, t.oid, 'UPDATE') OR has_table_privilege($1, t.oid, 'DELETE, TRUNCATE, TRIGGER'))
    UNION ALL
    SELECT format('may write audit.%s', t.relname) FROM role, of_audit t
        WHERE NOT rolsuper AND t.relname <> 'events' AND has_any_column_privilege($1, t.oid, 'INSERT')
            AND NOT ($2 AND t.relname IN (SELECT relname FROM grown))
    UNION ALL
    SELECT format('may name the %s of an event', a.attname) FROM role, pg_attribute a
        WHERE NOT rolsuper AND a.attrelid = 'audit.events'::regclass AND a.attname IN ('at', 'id', 'transaction_id')
            AND has_column_privilege($1, a.attrelid, a.attnum, 'INSERT')
    UNION ALL
    SELECT format('may run %s', f.oid::regprocedure) FROM role, pg_proc f
        WHERE NOT rolsuper AND NOT $2 AND f.pronamespace = 'audit'::regnamespace AND f.proname IN ('record_archive', 'drop_month')
            AND has_function_privilege($1, f.oid, 'EXECUTE')
    UNION ALL
    SELECT format('may change or empty %s', k.relname) FROM role, kept k
        WHERE NOT rolsuper AND to_regclass('public.' || k.relname) IS NOT NULL
            AND has_table_privilege($1, to_regclass('public.' || k.relname), 'UPDATE, DELETE, TRUNCATE')
    UNION ALL
    SELECT 'may switch triggers off: REVOKE SET ON PARAMETER session_replication_role FROM PUBLIC and from the role' FROM role
        WHERE NOT rolsuper AND has_parameter_privilege($1, 'session_replication_role', 'SET')
) faults
