-- What bears another's name is told apart by its prefix.
UPDATE repositories r SET name = left(r.name, 60) || ' (' || r.prefix || ')'
    WHERE r.type = 'private' AND EXISTS (SELECT FROM repositories o WHERE o.id <> r.id AND lower(o.name) = lower(r.name));
DROP INDEX repositories_name;
CREATE UNIQUE INDEX repositories_name ON repositories (lower(name));
