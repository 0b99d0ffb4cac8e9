DROP TABLE job_runs, finding_attachments, finding_assets, findings, report_revisions, reports;
