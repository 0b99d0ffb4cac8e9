DROP TABLE settings, person_roles, role_permissions, roles, sessions, one_time_links, people;
