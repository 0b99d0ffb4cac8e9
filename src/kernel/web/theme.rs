//! How the pages look to a person.

crate::text_enum! {
    /// A person's choice between light and dark pages.
    pub enum Theme {
        /// As the browser or the machine has it.
        Auto => "auto", "Auto";
        Light => "light", "Light";
        Dark => "dark", "Dark";
    }
}
