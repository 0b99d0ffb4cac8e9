DROP TABLE attachments, log_entries, procedure_assets, step_ticks, procedure_inputs, procedure_operators, person_sections,
    drafts, field_history, procedures, engagement_inputs, engagement_operators, engagement_activity, engagements, outcomes;
