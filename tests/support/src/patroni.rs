//! [`Patroni`]: a PostgreSQL of three nodes that replaces its primary by itself, where Patroni and etcd are installed.
//!
//! Each machine of it is a loopback address and a folder, in which its processes work. So whoever runs on a machine is known
//! by where it works, and a machine that dies takes all of them with it.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::guard::Guard;
use crate::installed::{Owner, ask_psql, command, owner, programs, skipped};
use crate::process::{Process, processes};
use crate::service::own_host;
use crate::wait::wait_until;

const PATRONI: &str = "/usr/bin/patroni";
const ETCD: &str = "/usr/bin/etcd";

/// How many nodes it has, and how many stores these agree in.
const COUNT: usize = 3;
const POSTGRES_PORT: u16 = 5432;
const API_PORT: u16 = 8008;
const ETCD_PORT: u16 = 2379;
const ETCD_PEER_PORT: u16 = 2380;
/// How long a node may take to tell how it is.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// The pause before they are asked, so that they are not kept busy by that.
const PAUSE: Duration = Duration::from_millis(100);

/// A cluster without any database of ours. Dropped, it ends, and when this process does.
pub struct Patroni {
    /// It comes first, so that it has ended all when their pipes and their folder go.
    _guard: Guard,
    programs: PathBuf,
    owner: Owner,
    _stores: Vec<Process>,
    nodes: Vec<Node>,
    folder: TempDir,
}

/// A machine with a PostgreSQL and a Patroni that looks after it.
struct Node {
    host: Ipv4Addr,
    folder: PathBuf,
    process: Process,
}

impl Patroni {
    /// A cluster that is [whole](Self::is_whole). `None` where something for it is not installed, which is said.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            skipped("PostgreSQL");
            return None;
        };
        for (program, name) in [(PATRONI, "Patroni"), (ETCD, "etcd")] {
            if !Path::new(program).exists() {
                skipped(name);
                return None;
            }
        }
        let folder = TempDir::new().expect("there is space");
        let guard = Guard::over(folder.path());
        let owner = owner(folder.path());
        let hosts = [(); COUNT].map(|()| own_host());
        let stores = start_stores(folder.path(), owner, hosts);
        let nodes = [1, 2, 3].map(|number| {
            let (name, host) = (format!("pg{number}"), own_host());
            let folder = make_folder(folder.path(), &name);
            let settings = settings(&name, host, &folder, &programs, hosts);
            fs::write(folder.join("patroni.yml"), settings.to_string()).expect("there is space");
            Node { host, process: start_patroni(&folder, owner), folder }
        });
        let (stores, nodes) = (stores.into(), nodes.into());
        let cluster = Self { _guard: guard, programs, owner, _stores: stores, nodes, folder };
        wait_until("a leader and who would follow it", || cluster.is_whole());
        Some(cluster)
    }

    /// A new folder for processes that are to end with the cluster, also when that is ended by SIGKILL: they work in it.
    pub fn guarded_folder(&self) -> PathBuf {
        make_folder(self.folder.path(), "services")
    }

    /// The URL of a database, at all of its hosts.
    pub fn url(&self, user: &str, database: &str) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| node.host.to_string()).collect();
        format!("postgres://{user}@{}/{database}?target_session_attrs=read-write", hosts.join(","))
    }

    /// What `psql` says to these statements, as the superuser `postgres` at whoever takes changes.
    #[track_caller]
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let mut psql = command(&self.programs.join("psql"), self.owner);
        ask_psql(&mut psql, &self.url("postgres", database), statements)
    }

    /// Whether all nodes follow one leader, and one of them has all that is acknowledged.
    pub fn is_whole(&self) -> bool {
        let Some(members) = self.members() else { return false };
        let with_role = |role| members.iter().filter(|member| member["role"] == role).count();
        let runs = |member: &Value| {
            matches!(member["state"].as_str(), Some("running" | "streaming"))
                && member["timeline"] == members[0]["timeline"]
        };
        members.len() == COUNT
            && members.iter().all(runs)
            && with_role("leader") == 1
            && with_role("sync_standby") == 1
    }

    /// Which node is the leader, once there is one.
    pub fn leader(&self) -> usize {
        let mut leader = None;
        wait_until("a leader", || {
            let members = self.members().unwrap_or_default();
            let name = members.iter().find(|member| member["role"] == "leader").map(|leader| &leader["name"]);
            leader = (0..COUNT).find(|node| name == Some(&json!(format!("pg{}", node + 1))));
            leader.is_some()
        });
        leader.expect("it was waited for")
    }

    /// Ends the PostgreSQL of a node by SIGKILL, and waits until all of its processes are gone. Patroni goes on.
    pub fn kill_postgres(&self, node: usize) {
        let data = self.nodes[node].folder.join("data");
        let pid = fs::read_to_string(data.join("postmaster.pid")).expect("it runs");
        let pid = pid.lines().next().and_then(|pid| Pid::from_raw(pid.parse().ok()?)).expect("its ID");
        let processes = working_in(&data);
        kill_process(pid, Signal::KILL).expect("it runs");
        wait_until("the end of PostgreSQL", || {
            let left = working_in(&data);
            !processes.iter().any(|process| left.contains(process))
        });
    }

    /// Ends all that runs on a node by SIGKILL, and waits until it is gone.
    pub fn kill_node(&mut self, node: usize) {
        let Node { folder, process, .. } = &mut self.nodes[node];
        process.kill();
        wait_until("the end of a node", || {
            let left = working_in(folder);
            for pid in &left {
                // It may have ended meanwhile.
                let _ = kill_process(*pid, Signal::KILL);
            }
            left.is_empty()
        });
    }

    /// Sends a signal to all that runs on a node.
    pub fn signal_node(&self, node: usize, signal: Signal) {
        for pid in working_in(&self.nodes[node].folder) {
            // It may have ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    }

    /// Starts a node again that was killed, with what is left in its folder.
    pub fn restart_node(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        node.process = start_patroni(&node.folder, self.owner);
    }

    /// What the nodes are, as the first one that answers has it.
    fn members(&self) -> Option<Vec<Value>> {
        thread::sleep(PAUSE);
        let cluster = self.nodes.iter().find_map(|node| ask_api(node.host, "/cluster"))?;
        cluster["members"].as_array().cloned()
    }
}

/// The stores in which the nodes agree who is the leader.
fn start_stores(folder: &Path, owner: Owner, hosts: [Ipv4Addr; COUNT]) -> [Process; COUNT] {
    let peer = |host: Ipv4Addr| format!("http://{host}:{ETCD_PEER_PORT}");
    let all: Vec<String> = hosts.iter().map(|host| format!("{host}={}", peer(*host))).collect();
    hosts.map(|host| {
        let folder = make_folder(folder, &format!("etcd-{host}"));
        let mut etcd = command(ETCD.as_ref(), owner);
        etcd.current_dir(&folder).stdout(Stdio::null());
        etcd.args(["--logger=zap", "--log-level=error", "--initial-cluster-state=new"]);
        etcd.arg(format!("--name={host}")).arg(format!("--data-dir={}", folder.join("data").display()));
        for option in ["listen-client-urls", "advertise-client-urls"] {
            etcd.arg(format!("--{option}=http://{host}:{ETCD_PORT}"));
        }
        for option in ["listen-peer-urls", "initial-advertise-peer-urls"] {
            etcd.arg(format!("--{option}={}", peer(host)));
        }
        Process::start(etcd.arg(format!("--initial-cluster={}", all.join(","))))
    })
}

fn start_patroni(folder: &Path, owner: Owner) -> Process {
    let mut patroni = command(PATRONI.as_ref(), owner);
    Process::start(patroni.current_dir(folder).stdout(Stdio::null()).arg("patroni.yml"))
}

/// A folder for a process to work in.
fn make_folder(parent: &Path, name: &str) -> PathBuf {
    let folder = parent.join(name);
    fs::create_dir(&folder).expect("there is space");
    owner(&folder);
    folder
}

/// The settings of a node. JSON is YAML, too. What is acknowledged is on two machines, and no machine that dies stays the
/// leader for longer than must be.
fn settings(name: &str, host: Ipv4Addr, folder: &Path, programs: &Path, stores: [Ipv4Addr; COUNT]) -> Value {
    let (api, postgres) = (format!("{host}:{API_PORT}"), format!("{host}:{POSTGRES_PORT}"));
    json!({
        "scope": "market",
        "name": name,
        "log": {"level": "WARNING"},
        "restapi": {"listen": api, "connect_address": api},
        "etcd3": {"hosts": stores.map(|host| format!("{host}:{ETCD_PORT}"))},
        "bootstrap": {
            "dcs": {
                "ttl": 20, "loop_wait": 3, "retry_timeout": 6, "primary_start_timeout": 0,
                "synchronous_mode": true, "synchronous_mode_strict": true,
                "postgresql": {
                    "use_pg_rewind": true,
                    "parameters": {"max_connections": 60, "shared_buffers": "64MB", "wal_keep_size": "1GB", "wal_retrieve_retry_interval": "500ms"},
                },
            },
            "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
        },
        "postgresql": {
            "listen": postgres,
            "connect_address": postgres,
            "data_dir": folder.join("data"),
            "bin_dir": programs,
            "pgpass": folder.join("pgpass"),
            "authentication": {"superuser": {"username": "postgres"}, "replication": {"username": "replicator"}},
            "pg_hba": ["host all all 127.0.0.0/8 trust", "host replication all 127.0.0.0/8 trust"],
            "parameters": {"unix_socket_directories": folder, "log_min_messages": "error"},
        },
    })
}

/// The processes that work in this folder, or in one below it.
fn working_in(folder: &Path) -> Vec<Pid> {
    let works = |dir: PathBuf| fs::read_link(dir.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    processes().filter_map(|(dir, pid)| works(dir).then_some(pid)).collect()
}

/// What the Patroni of a node says, if it does.
fn ask_api(host: Ipv4Addr, path: &str) -> Option<Value> {
    let address = SocketAddr::from((host, API_PORT));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX).ok()?;
    stream.set_read_timeout(Some(ANSWER_MAX)).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}
