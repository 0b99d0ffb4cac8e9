//! A private PostgreSQL under the data directory, for installations without a server of their own, for
//! `tyrian dev` and for the tests: a Unix socket in a directory only its owner can enter, no TCP, data
//! checksums, durable unless told not.

use std::fs;
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use anyhow::{Context, bail};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::migrate::Roles;
use crate::kernel::base::hex::hex;
use crate::kernel::base::private;

/// A running private cluster. The last process that uses it stops it when it drops it.
#[derive(Debug)]
pub struct Cluster(Arc<Server>);

/// The clusters that this process uses, for [`leave_all`].
static IN_USE: Mutex<Vec<Weak<Server>>> = Mutex::new(Vec::new());

/// What a [`Cluster`] leads to.
#[derive(Debug)]
pub struct Server {
    bin: PathBuf,
    data: PathBuf,
    socket: PathBuf,
    account: Option<Account>,
    /// Locked in common by everybody who uses the cluster; whoever can lock it alone is the last.
    in_use: fs::File,
}

#[derive(Debug, Clone, Copy)]
struct Account {
    uid: u32,
    gid: u32,
}

/// Whether commits wait for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    Durable,
    /// They don't: for tests, whose data nobody needs after a crash.
    Fast,
}

/// The database's owner: migrates, makes and drops the audit log's months.
pub const OWNER: &str = "tyrian_owner";
/// The app's own role.
pub const APP: &str = "tyrian_app";
/// The role that seals the audit log, and archives and drops its months.
pub const SEALER: &str = "tyrian_sealer";
/// The app's roles on a database of this cluster.
pub const ROLES: Roles<'static> = Roles { app: APP, sealer: Some(SEALER) };

impl Cluster {
    /// Starts the cluster below `directory`, making it on the first start; one that already runs is reused.
    ///
    /// # Errors
    /// A sentence that says what to install or mend.
    pub fn start(directory: &Path, durability: Durability) -> anyhow::Result<Self> {
        let bin = installed().into_iter().next().context(
            "no PostgreSQL server is installed: on Debian or Ubuntu `apt-get install postgresql`, on macOS \
                `brew install postgresql`, or set DATABASE_URL to a server you have",
        )?;
        Self::start_with(bin, directory, durability)
    }

    /// As [`Cluster::start`], with the programs in `bin`, which are of one version of several.
    ///
    /// # Errors
    /// A sentence that says what to mend.
    pub fn start_with(bin: PathBuf, directory: &Path, durability: Durability) -> anyhow::Result<Self> {
        private::data_directory(directory)?;
        let directory = directory.canonicalize()?;
        let account = server_account()?;
        let data = find_data(&directory, account)?;
        let in_use = fs::File::create(directory.join("postgres.lock"))?;
        // Waits for somebody who is stopping it at this moment.
        in_use.lock_shared()?;
        let socket = find_socket(&data, account)?;
        let cluster = Self(Arc::new(Server { bin, data, socket, account, in_use }));
        {
            // Until it runs, nobody can end it in order: whoever wants to waits here.
            let mut started = in_use_here();
            cluster.make_directory(&cluster.data)?;
            cluster.make_directory(&cluster.socket)?;
            if !cluster.data.join("PG_VERSION").exists() {
                cluster.init()?;
            }
            if !cluster.answers() {
                cluster.launch(durability)?;
            }
            started.retain(|server| server.strong_count() > 0);
            started.push(Arc::downgrade(&cluster.0));
        }
        cluster.make_roles()?;
        Ok(cluster)
    }
}

fn in_use_here() -> MutexGuard<'static, Vec<Weak<Server>>> {
    // A start that panicked leaves the list whole.
    IN_USE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leaves every cluster that this process uses, as dropping them would: for a process that ends elsewhere
/// than where they are held. It waits for one that is about to start.
pub fn leave_all() {
    for server in in_use_here().iter().filter_map(Weak::upgrade) {
        server.leave();
    }
}

impl Deref for Cluster {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl Server {
    /// Connection URL for a role and database of this cluster.
    pub fn url(&self, role: &str, database: &str) -> String {
        format!("postgresql:///{database}?host={}&user={role}", self.socket.display())
    }

    /// Connection URL of the cluster's superuser, for tests that must act as the owner's owner would.
    pub fn superuser_url(&self, database: &str) -> String {
        self.url("postgres", database)
    }

    /// Path of one of the server's own tools, such as `pg_dump`.
    pub fn tool(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Makes the database if it is missing, owned by [`OWNER`].
    ///
    /// # Errors
    /// When the server refuses.
    pub fn ensure_database(&self, name: &str) -> anyhow::Result<()> {
        let mut conn = PgConnection::establish(&self.superuser_url("postgres"))?;
        match conn.batch_execute(&format!("CREATE DATABASE \"{name}\" OWNER {OWNER}")) {
            Ok(()) => Ok(()),
            Err(e) if e.to_string().contains("already exists") => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Stops the server whoever started it.
    pub fn stop_always(&self) {
        // Stopped already is as good.
        let _ = self
            .command("pg_ctl")
            .arg("stop")
            .args(["-m", "fast", "-w", "-s"])
            .arg("-D")
            .arg(&self.data)
            .stderr(Stdio::null())
            .status();
    }

    /// Ends the server as a crash would, for tests.
    pub fn crash(&self) {
        let _ = self
            .command("pg_ctl")
            .arg("stop")
            .args(["-m", "immediate", "-w", "-s"])
            .arg("-D")
            .arg(&self.data)
            .status();
    }

    fn init(&self) -> anyhow::Result<()> {
        // No sync here: the first checkpoint after the start writes everything through anyway.
        let output = self
            .command("initdb")
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--data-checksums",
                "--no-sync",
                "--no-instructions",
            ])
            .arg("-D")
            .arg(&self.data)
            .output()?;
        if !output.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    fn launch(&self, durability: Durability) -> anyhow::Result<()> {
        let mut options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c unix_socket_permissions=0700 -c \
                max_connections=200 \
             -c shared_buffers=64MB -c logging_collector=off -c timezone=UTC -c log_timezone=UTC -c jit=off \
             -c log_min_messages=log -c lc_messages=C",
            self.socket.display()
        );
        if durability == Durability::Fast {
            options.push_str(" -c fsync=off -c synchronous_commit=off -c full_page_writes=off");
        }
        let log = self.data.join("server.log");
        // The server outlives us: what our caller left open, a lock perhaps, must not stay open in it.
        let status = self
            .command("/bin/sh")
            .args(["-c", "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec \"$@\"", "sh"])
            .arg(self.bin.join("pg_ctl"))
            .args(["start", "-w", "-s", "-t", "60"])
            .arg("-D")
            .arg(&self.data)
            .arg("-l")
            .arg(&log)
            .arg("-o")
            .arg(&options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        // Two starts at the same moment: the other one won, which is as good.
        if !status.success() && !self.answers() {
            let said = fs::read_to_string(&log).unwrap_or_default();
            let last = said
                .lines()
                .rev()
                .take(5)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect::<Vec<_>>()
                .join("\n");
            bail!("the embedded PostgreSQL did not start:\n{last}");
        }
        Ok(())
    }

    fn make_roles(&self) -> anyhow::Result<()> {
        let mut conn = PgConnection::establish(&self.superuser_url("postgres"))?;
        for role in [OWNER, APP, SEALER] {
            match conn.batch_execute(&format!("CREATE ROLE {role} LOGIN")) {
                Err(e)
                    if !e.to_string().contains("already exists")
                        && !e.to_string().contains("duplicate key") =>
                {
                    return Err(e.into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn answers(&self) -> bool {
        self.data.join("postmaster.pid").exists()
            && PgConnection::establish(&format!("{}&connect_timeout=2", self.superuser_url("postgres")))
                .is_ok()
    }

    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(self.bin.join(tool));
        command.current_dir("/").env("LC_ALL", "C.UTF-8");
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        // Out of our process group: Ctrl+C at the terminal shall stop the app, which then stops the server in
        // order.
        command.process_group(0);
        command
    }

    /// Makes a directory that only the server's account can enter. One that is there is looked at as it is,
    /// not as what it may point to: nobody else can have put it there.
    fn make_directory(&self, path: &Path) -> anyhow::Result<()> {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).with_context(|| format!("cannot make {}", path.display())),
        }
        let found = fs::symlink_metadata(path)?;
        let us = rustix::process::getuid().as_raw();
        let theirs = self.account.map(|account| account.uid);
        if !found.is_dir() || (found.uid() != us && Some(found.uid()) != theirs) {
            bail!("{} belongs to somebody else, or is no directory", path.display());
        }
        if let Some(account) = self.account {
            lchown(path, Some(account.uid), Some(account.gid))?;
        }
        if found.mode() & 0o777 != 0o700 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }
}

impl Server {
    /// Stops the server unless another process uses it.
    fn leave(&self) {
        // The lock in common goes first: two who leave at the same moment must not each see the other still
        // there.
        if self.in_use.unlock().is_ok() && self.in_use.try_lock().is_ok() {
            self.stop_always();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.leave();
    }
}

/// `pg_config --bindir`, PATH, Debian's versioned directories, Homebrew: those that hold initdb and postgres.
pub fn installed() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        places.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path().join("bin"))
        .collect();
    versions.sort_by_key(|path| {
        std::cmp::Reverse(path.parent().and_then(|p| p.file_name()?.to_str()?.parse::<u32>().ok()))
    });
    places.extend(versions);
    places.extend(["/opt/homebrew/bin", "/usr/local/opt/postgresql/bin"].map(PathBuf::from));
    places.retain(|dir| dir.join("initdb").exists() && dir.join("postgres").exists());
    places
}

/// The account to run the server as when we are root; `None` when we are somebody already.
fn server_account() -> anyhow::Result<Option<Account>> {
    if !rustix::process::getuid().is_root() {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    for wanted in ["postgres", "nobody"] {
        let found = accounts
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.len() > 3 && fields[0] == wanted);
        if let Some(fields) = found {
            return Ok(Some(Account { uid: fields[2].parse()?, gid: fields[3].parse()? }));
        }
    }
    bail!(
        "PostgreSQL does not run as root, and this system has neither a `postgres` nor a `nobody` account \
            to run it as"
    )
}

/// Where the cluster's data lies. One that is there is used where it lies, whatever has become of the
/// directories around it: an empty one elsewhere would look like a loss of everything.
fn find_data(directory: &Path, account: Option<Account>) -> anyhow::Result<PathBuf> {
    let below = directory.join("postgres");
    let Some(account) = account else { return Ok(below) };
    let elsewhere = Path::new("/var/lib/tyrian").join(short_name(directory));
    let is_made = |data: &Path| data.join("PG_VERSION").exists();
    // initdb refuses to run as root, and the other account may not be able to reach a root's directory.
    let reaches = can_reach(directory, account);
    if is_made(&below) && is_made(&elsewhere.join("postgres")) {
        bail!(
            "there are two private PostgreSQL clusters, in {} and in {}: move away the one that is not \
                wanted",
            below.display(),
            elsewhere.join("postgres").display()
        );
    }
    if is_made(&below) && !reaches {
        bail!(
            "the private PostgreSQL lies in {}, which its own account cannot enter any more: give others \
                the right to pass (chmod o+x) each directory on the way",
            below.display()
        );
    }
    if is_made(&below) || (reaches && !is_made(&elsewhere.join("postgres"))) {
        return Ok(below);
    }
    private::data_directory(&elsewhere)?;
    Ok(elsewhere.join("postgres"))
}

/// The directory of the server's socket: that of a server that runs already, else one beside the data, where
/// nobody else can put anything; in the temporary directory where a socket's path, which is bounded and is a
/// word of a list in the server's configuration, leaves no choice.
fn find_socket(data: &Path, account: Option<Account>) -> anyhow::Result<PathBuf> {
    let running = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    // A server that ended badly leaves its word behind: the directory must still be one of ours.
    let us = rustix::process::getuid().as_raw();
    let is_ours = |line: &&str| {
        let found = fs::symlink_metadata(line);
        line.starts_with('/')
            && found.is_ok_and(|m| {
                m.is_dir() && (m.uid() == us || account.is_some_and(|account| account.uid == m.uid()))
            })
    };
    if let Some(directory) = running.lines().nth(4).filter(is_ours) {
        return Ok(directory.into());
    }
    let beside = data.with_file_name("socket");
    let path = beside.join(".s.PGSQL.5432");
    let is_plain =
        path.as_os_str().as_encoded_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(b));
    if is_plain && path.as_os_str().len() <= SOCKET_PATH {
        return Ok(beside);
    }
    Ok(std::env::temp_dir().join(format!("tyrian-{}", short_name(data))))
}

/// Whether the account can enter every directory on the way: the search bit for others on each parent.
fn can_reach(directory: &Path, account: Account) -> bool {
    directory.ancestors().all(|place| {
        fs::metadata(place)
            .is_ok_and(|m| m.mode() & 0o001 != 0 || (m.uid() == account.uid && m.mode() & 0o100 != 0))
    })
}

/// Longest path of a socket, in bytes: macOS allows 103, Linux 107.
const SOCKET_PATH: usize = 103;

/// A short name that differs for each path, for places where a path would be too long.
fn short_name(path: &Path) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    hex(&digest[..6])
}
