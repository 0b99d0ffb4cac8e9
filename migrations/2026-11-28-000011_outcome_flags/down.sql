UPDATE outcomes SET prevented = false WHERE team = 'red';
ALTER TABLE outcomes DROP COLUMN attempted;
