//! [`Postgres`]: a PostgreSQL server of a test's own, where one is installed.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::installed::{Owner, ask, ask_psql, command, owner, programs, skipped};
use crate::process::Process;
use crate::wait::wait_until;

/// Where Debian has the pooler.
const POOLER: &str = "/usr/sbin/pgbouncer";

/// A server, with a superuser `market` whose password is [`Postgres::PASSWORD`], and a database `shop`. Dropped, it ends.
pub struct Postgres {
    process: Process,
    programs: PathBuf,
    folder: TempDir,
    settings: Vec<String>,
    /// Where it listens, on 127.0.0.1 and 127.0.0.2.
    pub port: u16,
}

impl Postgres {
    /// The password of `market`.
    pub const PASSWORD: &str = "correct horse";

    /// A server with these settings (`NAME=VALUE`), which lets in over TCP who has proved it by this method. `None` where
    /// none is installed, which is said.
    pub fn start(method: &str, settings: &[&str]) -> Option<Self> {
        let Some(programs) = programs() else {
            skipped("PostgreSQL");
            return None;
        };
        let folder = TempDir::new().expect("there is space");
        let owner = owner(folder.path());
        make(&programs, folder.path(), owner, method);
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let port = free_port();
        let process = run(&programs, folder.path(), owner, port, &settings);
        let server = Self { process, programs, folder, settings, port };
        ask(server.client("createdb").arg("shop"));
        Some(server)
    }

    /// Ends it at once, as a machine does that loses its power, but for what the system has yet to write.
    pub fn stop(&mut self) {
        if self.process.is_running() {
            self.process.signal(Signal::QUIT);
            wait_until("the end of PostgreSQL", || !self.process.is_running());
        }
    }

    /// Starts it again, at the same port and with what it has kept.
    pub fn restart(&mut self) {
        self.stop();
        let folder = self.folder.path();
        let about = fs::metadata(folder).expect("it is there");
        self.process = run(&self.programs, folder, (about.uid(), about.gid()), self.port, &self.settings);
    }

    /// Sends a signal to each process of it.
    pub fn signal(&self, signal: Signal) {
        // First the one that starts the others, so that none is missed.
        self.process.signal(signal);
        for (_, pid) in self.process.child_commands() {
            // It may have ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    }

    /// Reads its log until a line holds this text, and returns that line.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        self.process.wait_for(text)
    }

    /// A PgBouncer before it, which lends its only connection to each transaction in turn, and where it listens on
    /// 127.0.0.1. `None` where there is none, as for the server.
    pub fn pooler(&self) -> Option<(Process, u16)> {
        if !Path::new(POOLER).exists() {
            skipped("PgBouncer");
            return None;
        }
        let port = free_port();
        let file = self.folder.path().join("pgbouncer.ini");
        let settings = format!(
            "[databases]\nshop = host=127.0.0.1 port={} user=market\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = 1\n",
            self.port
        );
        fs::write(&file, settings).expect("there is space");
        let folder = fs::metadata(self.folder.path()).expect("it is there");
        let mut process = Process::start(command(POOLER.as_ref(), (folder.uid(), folder.gid())).arg(&file));
        process.wait_for("process up");
        Some((process, port))
    }

    /// The URL of its database, at this host.
    pub fn url(&self, host: &str, parameters: &str) -> String {
        format!("postgres://market@{host}:{}/shop?{parameters}", self.port)
    }

    /// What `psql` says to these statements.
    #[track_caller]
    pub fn sql(&self, database: &str, statements: &str) -> String {
        ask_psql(&mut self.client("psql"), database, statements)
    }

    /// One of the programs that come with the server.
    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.arg("--host").arg(self.folder.path());
        command.args(["--port", &self.port.to_string(), "--username=market"]);
        command
    }
}

impl Drop for Postgres {
    /// Not by SIGKILL, which would leave its children and its shared memory behind for a while.
    fn drop(&mut self) {
        if self.process.is_running() {
            // A test may have failed while it was held up.
            self.signal(Signal::CONT);
        }
        self.stop();
    }
}

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.expect("a port is free").port()
}

/// Makes the files of the server, with certificates that it may use.
fn make(programs: &Path, folder: &Path, owner: Owner, method: &str) {
    let own = |name: &str, text: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, text).expect("there is space");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("it is ours");
        if geteuid().is_root() {
            chown(&path, Some(owner.0), Some(owner.1)).expect("root may");
        }
    };
    let certificates = Path::new(env!("CARGO_MANIFEST_DIR")).join("certificates");
    for file in ["server.pem", "server.key"] {
        own(file, &fs::read(certificates.join(file)).expect("it is in the repository"));
    }
    own("password", Postgres::PASSWORD.as_bytes());
    let mut initdb = command(&programs.join("initdb"), owner);
    initdb.args(["--username=market", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]);
    initdb.arg("--pwfile").arg(folder.join("password")).arg("--pgdata").arg(folder.join("data"));
    ask(&mut initdb);
    let access = format!("local all all trust\nhost all all 127.0.0.0/8 {method}\n");
    fs::write(folder.join("data/pg_hba.conf"), access).expect("it was just made");
}

/// Runs the server.
fn run(programs: &Path, folder: &Path, owner: Owner, port: u16, settings: &[String]) -> Process {
    let mut postgres = command(&programs.join("postgres"), owner);
    postgres.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args(["-p", &port.to_string()]);
    let own = ["listen_addresses=127.0.0.1,127.0.0.2", "shared_buffers=8MB", "log_min_messages=warning"];
    for setting in own.into_iter().chain(settings.iter().map(String::as_str)) {
        postgres.args(["-c", setting]);
    }
    for (setting, file) in [("ssl_cert_file", "server.pem"), ("ssl_key_file", "server.key")] {
        postgres.args(["-c", &format!("{setting}={}", folder.join(file).display())]);
    }
    let mut process = Process::start(&mut postgres);
    process.wait_for("ready to accept connections");
    process
}
