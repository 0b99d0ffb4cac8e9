//! Which versions of the library an engagement was made from.

use askama::Template;

use crate::engagements::store::origins::Origin;
use crate::engagements::store::show::Own;
use crate::kernel::base::show::counted;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

#[derive(Template)]
#[template(path = "engagements/origins.html")]
pub struct Origins {
    pub frame: Frame,
    pub own: Own,
    pub rows: Vec<Origin>,
    /// Whether library and test plans may be read: they are linked then.
    pub reads_library: bool,
    pub reads_plans: bool,
}

impl Origins {
    fn behind(&self) -> String {
        match self.rows.iter().filter(|row| row.is_behind()).count() {
            0 => "All of them are the newest.".into(),
            number => {
                format!("Of {} the library has a newer version.", counted(number, "procedure", "procedures"))
            }
        }
    }
    fn plan_url(&self) -> Option<String> {
        let plan = self.own.test_plan_id.filter(|_| self.reads_plans)?;
        Some(match self.own.test_plan_version {
            Some(version) => format!("/test-plans/{plan}/versions/{version}"),
            None => format!("/test-plans/{plan}"),
        })
    }
}
