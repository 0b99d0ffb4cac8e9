//! Who may write which side of a procedure.

crate::text_enum! {
    /// Who may write which side: a setting of the organisation that an engagement may override.
    pub enum WriteRule {
        Everyone => "everyone", "Everyone writes both sides";
        OwnSide => "own_side", "Each side writes its own";
    }
}
