//! One private cluster for every test process, one template database for each state of what a fresh database
//! holds, and a copy of it for every test. Works with one process for each test (nextest) and with one for
//! all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use sha2::{Digest, Sha256};
use tyrian::kernel::base::clock::Clock;
use tyrian::kernel::db::embedded::{APP, Cluster, Durability, OWNER, ROLES, SEALER};
use tyrian::kernel::db::{Db, PoolSize};

/// How many older templates stay: other worktrees may share the build directory.
const KEPT_TEMPLATES: i64 = 4;

/// The cluster all tests share. It goes on running after them, for the next run; `stop_the_cluster` ends it.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let place = scratch().join("cluster");
        let _turn = turn("cluster");
        Cluster::start(&place, Durability::Fast)
            .unwrap_or_else(|e| panic!("the tests' PostgreSQL does not start: {e:#}"))
    })
}

/// A directory below the build directory that the tests may fill.
pub fn scratch() -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tyrian-tests");
    fs::create_dir_all(&place).unwrap();
    place
}

/// One process at a time between here and the end of the returned value.
fn turn(name: &str) -> File {
    let file = File::create(scratch().join(format!("{name}.lock"))).unwrap();
    file.lock().unwrap();
    file
}

/// A connection to one of the cluster's databases; the role decides what it may do.
pub fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap_or_else(|e| panic!("{url}: {e}"))
}

/// A database of one test, dropped at its end.
pub struct TestDatabase {
    name: String,
}

impl TestDatabase {
    /// A copy of the template: migrated, with roles and starter library, without people.
    pub fn new() -> Self {
        let name = fresh_name();
        let template = template();
        let copy = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY OWNER {OWNER}");
        administration().batch_execute(&copy).unwrap();
        // Rights on a database do not travel with a template; `migrate` takes this one of the template alone.
        administration().batch_execute(&format!("REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")).unwrap();
        Self { name }
    }

    /// An empty database, for tests of the migrations.
    pub fn empty() -> Self {
        let name = fresh_name();
        administration().batch_execute(&format!("CREATE DATABASE {name} OWNER {OWNER}")).unwrap();
        Self { name }
    }

    pub fn name(&self) -> &str {
        &self.name
    }
    /// URL of the app's role.
    pub fn app_url(&self) -> String {
        cluster().url(APP, &self.name)
    }
    /// URL of the role that seals.
    pub fn sealer_url(&self) -> String {
        cluster().url(SEALER, &self.name)
    }
    /// URL of the schema's owner.
    pub fn owner_url(&self) -> String {
        cluster().url(OWNER, &self.name)
    }
    /// URL of the superuser.
    pub fn superuser_url(&self) -> String {
        cluster().superuser_url(&self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // What stays behind, the next run sweeps.
        if let Ok(mut conn) = PgConnection::establish(&cluster().superuser_url("postgres")) {
            let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

fn administration() -> PgConnection {
    connect(&cluster().superuser_url("postgres"))
}

/// Names carry the process, so that a later run knows which ones nobody uses any more.
fn fresh_name() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    format!("test_{}_{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    datname: String,
}

/// The template's name; made by whichever process comes first.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = format!("template_{}", fingerprint());
        if !is_ready(&name) {
            let _turn = turn("template");
            if !is_ready(&name) {
                make_template(&name);
            }
        }
        sweep();
        name
    })
}

/// Only a finished template is marked as one.
fn is_ready(name: &str) -> bool {
    let found: Vec<Name> =
        diesel::sql_query("SELECT datname::text FROM pg_database WHERE datname = $1 AND datistemplate")
            .bind::<Text, _>(name)
            .load(&mut administration())
            .unwrap();
    !found.is_empty()
}

fn make_template(name: &str) {
    let mut conn = administration();
    conn.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).unwrap();
    conn.batch_execute(&format!("CREATE DATABASE {name} OWNER {OWNER}")).unwrap();
    tyrian::kernel::db::migrate::migrate(&cluster().url(OWNER, name), ROLES).unwrap();
    let clock = Clock::standing_at(super::app::start());
    let db =
        Db::open(&cluster().url(APP, name), PoolSize { connections: 1, wait_seconds: 10 }, clock.clone())
            .unwrap();
    let place = scratch().join("template");
    let app = tyrian::server::assemble(super::app::config(&place), db, None, clock).unwrap();
    tyrian::server::prepare(&app).unwrap();
    drop(app);
    conn.batch_execute(&format!(
        "UPDATE pg_database SET datallowconn = false WHERE datname = '{name}';
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    ))
    .unwrap();
    conn.batch_execute(&format!("ALTER DATABASE {name} IS_TEMPLATE true")).unwrap();
}

/// Digest of everything that a fresh database is made from.
fn fingerprint() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for part in [
        "migrations",
        "src/library",
        "src/kernel/authz",
        "src/accounts/store",
        "src/server.rs",
        "src/kernel/db/migrate.rs",
    ] {
        collect(&root.join(part), &mut files);
    }
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        digest.update(file.strip_prefix(root).unwrap().as_os_str().as_encoded_bytes());
        digest.update(fs::read(&file).unwrap());
    }
    digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), files);
        }
    } else if path.is_file() {
        files.push(path.to_owned());
    }
}

/// Drops the databases of processes that are gone and templates of states long past.
fn sweep() {
    let Ok(file) = File::create(scratch().join("sweep.lock")) else { return };
    if file.try_lock().is_err() {
        return;
    }
    let mut conn = administration();
    let copies: Vec<Name> =
        diesel::sql_query("SELECT datname::text FROM pg_database WHERE datname LIKE 'test\\_%'")
            .load(&mut conn)
            .unwrap_or_default();
    for Name { datname } in copies {
        let process = datname.split('_').nth(1).unwrap_or_default();
        if !is_running(process) {
            let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {datname} WITH (FORCE)"));
        }
    }
    // Older templates have smaller object ids.
    let past: Vec<Name> = diesel::sql_query(format!(
        "SELECT datname::text FROM pg_database WHERE datname LIKE 'template\\_%' AND datistemplate \
            ORDER BY oid DESC OFFSET {KEPT_TEMPLATES}"
    ))
    .load(&mut conn)
    .unwrap_or_default();
    for Name { datname } in past {
        let _ = conn.batch_execute(&format!("ALTER DATABASE {datname} IS_TEMPLATE false"));
        let _ = conn.batch_execute(&format!("DROP DATABASE IF EXISTS {datname}"));
    }
}

fn is_running(process: &str) -> bool {
    if Path::new("/proc/self").exists() {
        return Path::new("/proc").join(process).exists();
    }
    std::process::Command::new("ps").args(["-p", process]).output().is_ok_and(|out| out.status.success())
}
