//! Servers as operating system processes, where threads of the test would not do.

/// A server of its own, as an operating system process.
pub struct Process {
    child: std::process::Child,
    /// `http://127.0.0.1:PORT`
    pub base: String,
    /// Of `tyrian dev`: everybody's password.
    pub password: String,
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
        let (url, sealer) = (app.database.app_url(), app.database.sealer_url());
        let roles = [("DATABASE_URL", url.as_str()), ("TYRIAN_SEALER_DATABASE_URL", sealer.as_str())];
        let mut own = Self::start("serve", place, &[&roles, environment].concat());
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
        let roles = [("DATABASE_URL", Some(url)), ("TYRIAN_SEALER_DATABASE_URL", sealer)];
        let roles: Vec<_> = roles.into_iter().filter_map(|(name, url)| Some((name, url?))).collect();
        Self::start("serve", place, &roles)
    }

    /// `tyrian serve` or `tyrian dev` with its files in `place`.
    pub fn start(command: &str, place: std::path::PathBuf, environment: &[(&str, &str)]) -> Self {
        use std::io::BufRead;
        std::fs::create_dir_all(&place).unwrap();
        let stderr = std::fs::File::create(place.join("stderr")).unwrap();
        let mut child =
            tyrian(&[command], &place, &[&[("TYRIAN_LISTEN", "127.0.0.1:0")], environment].concat())
                .stdout(std::process::Stdio::piped())
                .stderr(stderr)
                .spawn()
                .unwrap();
        // Read to its end, as whoever takes its stdout has to.
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let (said, hears) = std::sync::mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(said.send(line))));
        let base = hears.iter().find_map(|line| line.strip_prefix("Tyrian is at ").map(str::to_owned));
        let password = match command {
            "dev" => hears.iter().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"),
            _ => String::new(),
        };
        let password = password.lines().next().and_then(|line| line.rsplit(' ').next());
        let password = password.unwrap_or_default().to_owned();
        Self { child, base: base.expect("an address"), password, place, temporary: false }
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

/// `tyrian` as people type it, with its files in `place`.
pub fn tyrian(
    arguments: &[&str],
    place: &std::path::Path,
    environment: &[(&str, &str)],
) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tyrian"));
    command
        .args(arguments)
        .env("TYRIAN_SECRET_KEY", "5".repeat(64))
        .env("TYRIAN_DATA_DIR", place)
        .envs(environment.iter().copied());
    command
}
