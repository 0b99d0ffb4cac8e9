//! Configuration of a process, from flags and the environment. Every fault is listed at once.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use crate::kernel::base::network::{Range, origin};

/// What the command line and the environment say.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// PostgreSQL of the app's own role; unset: a private one under the data directory
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// PostgreSQL of the schema's owner, for `migrate` and the past of `seed demo`
    #[arg(long, global = true, env = "TYRIAN_OWNER_DATABASE_URL", hide_env_values = true)]
    pub owner_database_url: Option<String>,
    /// PostgreSQL of the role that seals the audit log; unset: the app's own role seals
    #[arg(long, global = true, env = "TYRIAN_SEALER_DATABASE_URL", hide_env_values = true)]
    pub sealer_database_url: Option<String>,
    /// Where attachments, archives, keys and the embedded database live
    #[arg(long, global = true, env = "TYRIAN_DATA_DIR", default_value = "./var")]
    pub data_dir: PathBuf,
    /// Address to serve on
    #[arg(long, global = true, env = "TYRIAN_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Address to serve /metrics on; unset: nowhere
    #[arg(long, global = true, env = "TYRIAN_METRICS_LISTEN")]
    pub metrics_listen: Option<String>,
    /// The address people type, such as https://tyrian.example
    #[arg(long, global = true, env = "TYRIAN_BASE_URL")]
    pub base_url: Option<String>,
    /// 64 or more hexadecimal digits
    #[arg(long, global = true, env = "TYRIAN_SECRET_KEY", hide_env_values = true)]
    pub secret_key: Option<SecretString>,
    /// A file that holds them
    #[arg(long, global = true, env = "TYRIAN_SECRET_KEY_FILE")]
    pub secret_key_file: Option<PathBuf>,
    /// The file of the key that seals the audit log; unset: audit.key in the data directory
    #[arg(long, global = true, env = "TYRIAN_AUDIT_KEY_FILE")]
    pub audit_key_file: Option<PathBuf>,
    /// The file of the newest seal; the list of keys lies beside it, as .pub. One for all nodes; unset:
    /// beside that key
    #[arg(long, global = true, env = "TYRIAN_AUDIT_HEAD_FILE")]
    pub audit_head_file: Option<PathBuf>,
    /// Addresses of reverse proxies whose X-Forwarded-For counts, or ranges of them, separated by commas
    #[arg(long, global = true, env = "TYRIAN_TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: String,
    /// The organisation's time zone at the first start
    #[arg(long, global = true, env = "TYRIAN_TIME_ZONE", default_value = "UTC")]
    pub time_zone: String,
}

#[derive(Debug, Clone)]
pub struct Config {
    /// The given database; `None` means the embedded one.
    pub database_url: Option<String>,
    /// The owner's URL of a given database.
    pub owner_database_url: Option<String>,
    /// The same database as the role that seals the audit log; none: the app's own role does.
    pub sealer_database_url: Option<String>,
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    /// Where to serve metrics.
    pub metrics_listen: Option<SocketAddr>,
    /// The address people type, as browsers name its origin.
    pub base_url: Option<String>,
    /// The secret that keys are derived from.
    pub secret: SecretString,
    /// The file of the secret, where it was not there and has just been made.
    pub secret_made: Option<PathBuf>,
    /// Where the key that seals the audit log lies, if not in the data directory.
    pub audit_key_file: Option<PathBuf>,
    /// Where its newest seal lies, and the list of keys, if not beside that key.
    pub audit_head_file: Option<PathBuf>,
    /// Reverse proxies whose word on the client's address counts.
    pub trusted_proxies: Vec<Range>,
    /// First value of the organisation's time zone.
    pub time_zone: String,
}

impl Config {
    /// Whether people reach it by https: cookies are then Secure and bound to the host.
    pub fn is_https(&self) -> bool {
        self.base_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// Where this machine finds it: the address that people type, or the one that is served. Nobody can
    /// connect to 0.0.0.0.
    pub fn address(&self) -> String {
        let port = self.listen.port();
        match &self.base_url {
            Some(base) => base.clone(),
            None if self.listen.ip().is_unspecified() && port == 80 => "http://localhost".to_owned(),
            None if self.listen.ip().is_unspecified() => format!("http://localhost:{port}"),
            None => format!("http://{}", self.listen),
        }
    }

    /// The file in which a running server leaves its address, for commands in a shell that does not know it.
    pub fn address_file(&self) -> PathBuf {
        self.data_dir.join("address")
    }

    /// The directory of attachments.
    pub fn attachments(&self) -> PathBuf {
        self.data_dir.join("attachments")
    }

    /// The directory of the audit log's archives.
    pub fn audit_archives(&self) -> PathBuf {
        self.data_dir.join("audit-archives")
    }

    /// Checks the options. Makes the data directory, and in it the secret key where the database is embedded.
    ///
    /// # Errors
    /// One sentence for each fault, all of them.
    pub fn check(options: &Options) -> anyhow::Result<Self> {
        let mut faults = Vec::new();
        let mut address = |name: &str, text: &str| {
            text.parse::<SocketAddr>()
                .map_err(|_| {
                    faults.push(format!("{name} “{text}” is no address with a port, such as 127.0.0.1:8080."))
                })
                .ok()
        };
        let listen = address("TYRIAN_LISTEN", &options.listen);
        let metrics_listen =
            options.metrics_listen.as_deref().and_then(|text| address("TYRIAN_METRICS_LISTEN", text));
        let base_url = options.base_url.as_deref().and_then(|base| match origin(base) {
            Ok(origin) => Some(origin),
            Err(why) => {
                faults.push(format!("TYRIAN_BASE_URL “{base}” {why}. An example: https://tyrian.example."));
                None
            }
        });
        if options.sealer_database_url.is_some() && options.database_url.is_none() {
            faults.push(
                "TYRIAN_SEALER_DATABASE_URL is set without DATABASE_URL: the private cluster makes \
                its own role."
                    .into(),
            );
        }
        if options.time_zone.parse::<chrono_tz::Tz>().is_err() {
            faults.push(format!(
                "TYRIAN_TIME_ZONE “{}” is no zone of the IANA list, such as Europe/Lisbon.",
                options.time_zone
            ));
        }
        let mut trusted_proxies = Vec::new();
        for text in options.trusted_proxies.split(',').map(str::trim).filter(|t| !t.is_empty()) {
            match text.parse() {
                Ok(range) => trusted_proxies.push(range),
                Err(()) => {
                    let hint = match text {
                        "localhost" => " This machine is 127.0.0.1, ::1.",
                        "*" => " Whoever can connect could then say where they come from; name your proxy.",
                        _ => "",
                    };
                    faults.push(format!(
                        "TYRIAN_TRUSTED_PROXIES names “{text}”, which is neither an IP address nor a range \
                            such as 172.18.0.0/16.{hint}"
                    ));
                }
            }
        }
        if let Err(e) = crate::kernel::base::private::data_directory(&options.data_dir) {
            faults.push(format!("TYRIAN_DATA_DIR: {e:#}."));
        }
        let own = options.data_dir.join("secret.key");
        let was_there = own.exists();
        let secret = match secret(options) {
            Ok(secret) => Some(secret),
            Err(fault) => {
                faults.push(format!("{fault:#}."));
                None
            }
        };
        match (listen, secret, faults.is_empty()) {
            (Some(listen), Some(secret), true) => Ok(Self {
                database_url: options.database_url.clone(),
                owner_database_url: options.owner_database_url.clone(),
                sealer_database_url: options.sealer_database_url.clone(),
                data_dir: options.data_dir.clone(),
                listen,
                metrics_listen,
                base_url,
                secret,
                secret_made: (!was_there && own.exists()).then_some(own),
                audit_key_file: options.audit_key_file.clone(),
                audit_head_file: options.audit_head_file.clone(),
                trusted_proxies,
                time_zone: options.time_zone.clone(),
            }),
            _ => anyhow::bail!("the configuration does not hold:\n  {}", faults.join("\n  ")),
        }
    }
}

fn secret(options: &Options) -> anyhow::Result<SecretString> {
    let text = match (&options.secret_key, &options.secret_key_file) {
        (Some(_), Some(_)) => {
            anyhow::bail!("TYRIAN_SECRET_KEY and TYRIAN_SECRET_KEY_FILE are both set; leave one out")
        }
        (Some(key), None) => key.expose_secret().to_owned(),
        (None, Some(file)) => fs::read_to_string(file)
            .with_context(|| format!("TYRIAN_SECRET_KEY_FILE {} cannot be read", file.display()))?,
        (None, None) if options.database_url.is_some() => {
            anyhow::bail!(
                "TYRIAN_SECRET_KEY or TYRIAN_SECRET_KEY_FILE is required beside DATABASE_URL: every node \
                    needs the same one"
            )
        }
        (None, None) => own_secret(&options.data_dir.join("secret.key"))?,
    };
    let text = text.trim().to_owned();
    if text.len() < 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        anyhow::bail!(
            "the secret key must be 64 or more hexadecimal digits (`openssl rand -hex 32` makes one)"
        );
    }
    Ok(text.into())
}

fn own_secret(path: &std::path::Path) -> anyhow::Result<String> {
    use std::io::Write;
    if let Ok(text) = fs::read_to_string(path) {
        return Ok(text);
    }
    let text = crate::kernel::base::hex::random_hex(32);
    let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(mut file) => file.write_all(text.as_bytes())?,
        // Another process made it a moment ago.
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => return Ok(fs::read_to_string(path)?),
        Err(e) => return Err(e).with_context(|| format!("{} cannot be written", path.display())),
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_listed_at_once() {
        let options = Options {
            database_url: Some("postgresql:///x".into()),
            owner_database_url: None,
            sealer_database_url: None,
            data_dir: std::env::temp_dir(),
            listen: "nowhere".into(),
            metrics_listen: None,
            base_url: Some("tyrian.example".into()),
            secret_key: None,
            secret_key_file: None,
            audit_key_file: None,
            audit_head_file: None,
            trusted_proxies: "10.0.0.1, 172.18.0.0/16, proxy".into(),
            time_zone: "Lisbon".into(),
        };
        let said = Config::check(&options).unwrap_err().to_string();
        for part in ["TYRIAN_LISTEN", "TYRIAN_BASE_URL", "TYRIAN_TIME_ZONE", "“proxy”", "TYRIAN_SECRET_KEY"]
        {
            assert!(said.contains(part), "{part} in {said}");
        }
    }

    fn options(base_url: Option<&str>, listen: &str) -> Options {
        Options {
            database_url: None,
            owner_database_url: None,
            sealer_database_url: None,
            data_dir: std::env::temp_dir().join(format!("tyrian-config-{}", std::process::id())),
            listen: listen.into(),
            metrics_listen: None,
            base_url: base_url.map(str::to_owned),
            secret_key: Some("0".repeat(64).into()),
            secret_key_file: None,
            audit_key_file: None,
            audit_head_file: None,
            trusted_proxies: String::new(),
            time_zone: "UTC".into(),
        }
    }

    #[test]
    fn links_begin_with_an_address_that_can_be_opened() {
        for (base, listen, address) in [
            (None, "127.0.0.1:8183", "http://127.0.0.1:8183"),
            (None, "0.0.0.0:8183", "http://localhost:8183"),
            (None, "[::]:80", "http://localhost"),
            (Some("http://Tyrian.lan:80/"), "0.0.0.0:80", "http://tyrian.lan"),
        ] {
            assert_eq!(Config::check(&options(base, listen)).unwrap().address(), address);
        }
        let said = Config::check(&options(Some("https://ops.example/tyrian"), "0.0.0.0:80")).unwrap_err();
        assert!(said.to_string().contains("at the root of its host"), "{said}");
    }

    #[test]
    fn a_proxy_that_is_no_address_is_explained() {
        for (typed, hint) in
            [("localhost", "127.0.0.1, ::1"), ("*", "name your proxy"), ("10.0.0.0/40", "range")]
        {
            let typed = Options { trusted_proxies: typed.into(), ..options(None, "127.0.0.1:0") };
            let said = Config::check(&typed).unwrap_err().to_string();
            assert!(said.contains(hint), "{said}");
        }
    }
}
