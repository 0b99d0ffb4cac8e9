-- A private repository's name is known to its people alone: nobody learns of it because theirs is refused.
DROP INDEX repositories_name;
CREATE UNIQUE INDEX repositories_name ON repositories (lower(name)) WHERE type <> 'private';
