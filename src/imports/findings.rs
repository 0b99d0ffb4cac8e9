//! What a reader finds wrong or odd in one file while it reads on, so that whoever mends the file sees it all
//! at once.

use std::cell::RefCell;

use super::domain::{Faults, ImportError};

/// More faults of one file help nobody.
const MOST: usize = 200;

/// Faults and warnings of one file.
#[derive(Debug, Default)]
pub struct Findings {
    file: String,
    faults: RefCell<Vec<ImportError>>,
    warnings: RefCell<Vec<ImportError>>,
}

impl Findings {
    pub fn of(file: &str) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    pub fn fault(
        &self,
        object: Option<&str>,
        field: Option<&str>,
        line: Option<usize>,
        sentence: impl Into<String>,
    ) {
        push(&self.faults, self.at(object, field, line, sentence));
    }

    pub fn warn(
        &self,
        object: Option<&str>,
        field: Option<&str>,
        line: Option<usize>,
        sentence: impl Into<String>,
    ) {
        push(&self.warnings, self.at(object, field, line, sentence));
    }

    fn at(
        &self,
        object: Option<&str>,
        field: Option<&str>,
        line: Option<usize>,
        sentence: impl Into<String>,
    ) -> ImportError {
        ImportError {
            object: object.map(str::to_owned),
            field: field.map(str::to_owned),
            line,
            ..ImportError::file(&self.file, sentence)
        }
    }

    /// The warnings, in the order of the file, when there is no fault.
    ///
    /// # Errors
    /// The faults, in the order of the file.
    pub fn done(self) -> Result<Vec<ImportError>, Faults> {
        let (mut faults, mut warnings) = (self.faults.into_inner(), self.warnings.into_inner());
        if faults.is_empty() {
            warnings.sort_by_key(|warning| warning.line);
            Ok(warnings)
        } else {
            faults.sort_by_key(|fault| fault.line);
            Err(Faults(faults))
        }
    }
}

fn push(list: &RefCell<Vec<ImportError>>, error: ImportError) {
    let mut list = list.borrow_mut();
    if list.len() < MOST {
        list.push(error);
    }
}
