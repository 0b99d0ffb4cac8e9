//! The conditions that a library procedure `p` stands under a methodology or a tactic, for whoever lists
//! procedures.

/// What the filter by methodology says where ATT&CK is meant.
const ATTACK: &str = "attack-enterprise";

/// The condition that a library procedure `p` names a technique of the methodology whose key is `$key`; empty
/// is any.
pub fn is_of_methodology(key: usize) -> String {
    format!(
        "(${key} = '' OR CASE WHEN ${key} = '{ATTACK}'
            THEN EXISTS (SELECT FROM unnest(p.technique_ids) id WHERE id ~ '^T[0-9]{{4}}([.][0-9]+)?$')
            ELSE p.technique_ids && ARRAY(SELECT own.short_name FROM terms own \
                JOIN term_parents op ON op.term_id = own.id JOIN term_parents tp ON tp.term_id = op.parent_id
                WHERE own.kind = 'technique' AND tp.parent_id::text = ${key}) END)"
    )
}

/// The condition that a library procedure `p` names a technique under the tactic whose key is `$key`, of
/// ATT&CK's newest release or one's own; empty is any.
pub fn is_under_tactic(key: usize) -> String {
    format!(
        "(${key} = '' OR p.technique_ids && ARRAY(SELECT te.external_id FROM techniques te
            WHERE te.version = (SELECT version FROM attack_versions ORDER BY rank DESC LIMIT 1) \
                AND te.tactics @> ARRAY[${key}]
            UNION ALL SELECT own.short_name FROM terms own JOIN term_parents op ON op.term_id = own.id
            JOIN terms tactic ON tactic.id = op.parent_id
            WHERE own.kind = 'technique' AND tactic.short_name = ${key}))"
    )
}
