ALTER TABLE procedures DROP COLUMN prerequisite_ids, DROP COLUMN blue_answered_at;
ALTER TABLE engagements DROP COLUMN observation_window;
