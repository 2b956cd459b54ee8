//! An engine in place of disks: a primary with a synchronous standby, both of them hosts of the network, where all
//! databases keep their rows. It fails as engines do.

mod cluster;
mod host;
mod outages;
mod terminal;
pub(crate) mod truth;
mod weather;

pub(crate) use self::cluster::Cluster;

/// What an engine has done to its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineCounters {
    /// Commits that were flushed.
    pub commits: u64,
    /// How often the primary died, and came back.
    pub crashes: u64,
    /// How often its standby took its place.
    pub fail_overs: u64,
    /// Connections that it ended in the middle of what it was asked.
    pub cut_before_commit: u64,
    /// Those that it ended when a commit was flushed and not told.
    pub cut_after_commit: u64,
    /// Those over which nothing passed any more from some moment on.
    pub silent: u64,
    /// Those that an administrator ended (57P01).
    pub terminated: u64,
    /// Those that were refused, because there are too many (53300).
    pub refused: u64,
    /// Sessions of hosts that take no changes.
    pub read_only: u64,
    /// Those that were ended because they had waited for a lock, or left a transaction open, for too long.
    pub timed_out: u64,
    /// Times in which it answered late.
    pub slow: u64,
    /// Transactions that databases carried out again.
    pub replays: u64,
    /// Those of which they did not know what has become.
    pub unknown: u64,
}

impl EngineCounters {
    /// Each of them, with its name for people.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("commits", self.commits),
            ("engine crashes", self.crashes),
            ("fail-overs", self.fail_overs),
            ("cut before a commit", self.cut_before_commit),
            ("cut after a commit", self.cut_after_commit),
            ("silent", self.silent),
            ("terminated", self.terminated),
            ("too many connections", self.refused),
            ("read-only", self.read_only),
            ("timed out", self.timed_out),
            ("slow for a while", self.slow),
            ("replays", self.replays),
            ("unknown outcomes", self.unknown),
        ]
    }
}

impl std::ops::AddAssign for EngineCounters {
    fn add_assign(&mut self, other: Self) {
        self.commits += other.commits;
        self.crashes += other.crashes;
        self.fail_overs += other.fail_overs;
        self.cut_before_commit += other.cut_before_commit;
        self.cut_after_commit += other.cut_after_commit;
        self.silent += other.silent;
        self.terminated += other.terminated;
        self.refused += other.refused;
        self.read_only += other.read_only;
        self.timed_out += other.timed_out;
        self.slow += other.slow;
        self.replays += other.replays;
        self.unknown += other.unknown;
    }
}
