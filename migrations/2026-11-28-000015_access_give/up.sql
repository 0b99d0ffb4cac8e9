-- Team leads give people who have an account access to their own clients. The ready-made role gets the right once,
-- unless somebody has edited it: then it is theirs to decide.
DO $$
DECLARE
    lead roles;
BEGIN
    SELECT * INTO lead FROM roles WHERE key = 'team_lead' AND NOT built_in AND version = 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    INSERT INTO role_permissions (role_id, permission) VALUES (lead.id, 'access.give') ON CONFLICT DO NOTHING;
    -- As with every role that grows: sessions learn of it, and links that were made before end.
    UPDATE sessions SET renew = true WHERE person_id IN
        (SELECT person_id FROM person_roles WHERE role_id = lead.id
         UNION SELECT person_id FROM client_access WHERE role_id = lead.id);
    DELETE FROM one_time_links WHERE used_at IS NULL AND person_id IN
        (SELECT person_id FROM person_roles WHERE role_id = lead.id
         UNION SELECT person_id FROM client_access WHERE role_id = lead.id);
    PERFORM audit.make_month((audit.now() AT TIME ZONE 'UTC')::date);
    INSERT INTO audit.events (kind, category, outcome, actor_kind, actor_name, subject_type, subject_id,
        subject_label, sentence)
    VALUES ('role.updated', 'access', 'success', 'system', 'System', 'role', lead.id, lead.name,
        'Changed the role ' || lead.name || ': it may give access to its clients, as of this version');
END $$;
