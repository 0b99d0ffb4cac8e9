ALTER TABLE outcomes DROP COLUMN partial;
ALTER TABLE reports DROP COLUMN classification;
ALTER TABLE settings DROP COLUMN classification;
