//! The two teams.

crate::text_enum! {
    /// The two sides of a purple-team engagement.
    pub enum Team {
        Red => "red", "Red";
        Blue => "blue", "Blue";
    }
}
