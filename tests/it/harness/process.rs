//! Servers as operating system processes, where threads of the test would not do.

/// A server of its own, as an operating system process.
pub struct Process {
    child: std::process::Child,
    /// `http://127.0.0.1:PORT`
    pub base: String,
    place: std::path::PathBuf,
    temporary: bool,
}

impl Process {
    /// Starts one on the test's database and waits until it answers.
    pub fn serve(app: &super::TestApp, name: &str) -> Self {
        Self::with(app, name, &[])
    }

    /// As [`Process::serve`], with more in its environment; what it says on stderr is kept in
    /// [`Process::said`].
    pub fn with(app: &super::TestApp, name: &str, environment: &[(&str, &str)]) -> Self {
        let place = super::database::scratch().join(format!("{name}-{}", std::process::id()));
        let mut own =
            Self::start(&app.database.app_url(), Some(&app.database.sealer_url()), place, environment);
        own.temporary = true;
        own
    }

    /// What it has said on stderr so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.place.join("stderr")).unwrap()
    }

    /// The same on any database, with its files in a directory that stays; without a sealer's URL the app's
    /// role seals.
    pub fn on(url: &str, sealer: Option<&str>, place: std::path::PathBuf) -> Self {
        Self::start(url, sealer, place, &[])
    }

    fn start(
        url: &str,
        sealer: Option<&str>,
        place: std::path::PathBuf,
        environment: &[(&str, &str)],
    ) -> Self {
        use std::io::BufRead;
        std::fs::create_dir_all(&place).unwrap();
        let stderr = std::fs::File::create(place.join("stderr")).unwrap();
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tyrian"))
            .arg("serve")
            .envs(sealer.map(|url| ("TYRIAN_SEALER_DATABASE_URL", url)))
            .env("DATABASE_URL", url)
            .env("TYRIAN_SECRET_KEY", "5".repeat(64))
            .env("TYRIAN_DATA_DIR", &place)
            .env("TYRIAN_LISTEN", "127.0.0.1:0")
            .stdout(std::process::Stdio::piped())
            .envs(environment.iter().copied())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let base = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("Tyrian is at ").map(str::to_owned));
        Self { child, base: base.expect("an address"), place, temporary: false }
    }

    /// Ends it as a power cut would: it gets no chance to tidy up.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.temporary {
            let _ = std::fs::remove_dir_all(&self.place);
        }
    }
}
