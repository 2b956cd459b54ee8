//! The memory of this process: how much of it a database may fill, and how much it has. What is refused where that is
//! reached, `services` knows.

use std::fs;
use std::path::Path;

use procfs::page_size;
use procfs::process::Process;
use rustix::system::sysinfo;
use services::Room;

/// Open for as long as the memory is measured.
pub(crate) const DESCRIPTORS: usize = 1;

const CGROUPS: &str = "/proc/self/cgroup";
const CGROUP_ROOT: &str = "/sys/fs/cgroup";

/// What a database may fill unless it is told, in MiB: three quarters of what its cgroup may have, or a third of the
/// machine's memory, of which there are two databases. The rest is for what grows by doubling, for the system's
/// buffers and caches, and for what may still change where nothing new is kept.
pub(crate) fn default_max_mib() -> u64 {
    let info = sysinfo();
    let machine_bytes = info.totalram as u64 * u64::from(info.mem_unit);
    let cgroups = fs::read_to_string(CGROUPS).unwrap_or_default();
    let max_bytes = match cgroup_limit(&cgroups, Path::new(CGROUP_ROOT)) {
        Some(limit_bytes) if limit_bytes < machine_bytes => limit_bytes / 4 * 3,
        _ => machine_bytes / 3,
    };
    (max_bytes >> 20).max(1)
}

/// Room for a database up to this resident memory. Where the system does not tell what the process has, there is no
/// bound, and that is logged.
pub(crate) fn room(max_mib: u64) -> Room {
    match Process::myself().and_then(|process| process.statm().map(|_| process)) {
        Ok(process) => {
            log::info!("event=memory_bounded memory_max_mib={max_mib}");
            let mut last_bytes = 0;
            Room::new(max_mib, move || {
                if let Ok(statm) = process.statm() {
                    last_bytes = statm.resident * page_size();
                }
                last_bytes
            })
        }
        Err(error) => {
            log::warn!("event=memory_unbounded error=\"{error}\"");
            Room::default()
        }
    }
}

/// The least limit of the cgroups in which a process is, in bytes. `cgroups` is what the system says of them, and `root`
/// where they are. In a container the path may be one of the host's, of which there is only the last part, as the root.
fn cgroup_limit(cgroups: &str, root: &Path) -> Option<u64> {
    let limits = cgroups.lines().filter_map(|line| {
        let [_, controllers, path] = line.splitn(3, ':').collect::<Vec<_>>().try_into().ok()?;
        let (base, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|controller| controller == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let path = Path::new(path.trim_start_matches('/'));
        // Where there is no limit, version 2 says `max`, and version 1 a number that no machine has.
        let limit = |path: &Path| fs::read_to_string(base.join(path).join(file)).ok()?.trim().parse().ok();
        path.ancestors().filter_map(limit).min()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// A folder with these limits.
    fn limits(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (path, limit) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
            fs::write(path, limit).expect("a file");
        }
        root
    }

    #[test]
    fn the_least_limit_of_a_cgroup_and_those_around_it_counts() {
        let root = limits(&[
            ("memory.max", "max\n"),
            ("system.slice/memory.max", "1073741824\n"),
            ("system.slice/db.service/memory.max", "max\n"),
            ("other.slice/memory.max", "1\n"),
        ]);
        assert_eq!(cgroup_limit("0::/system.slice/db.service\n", root.path()), Some(1024 * MIB));
        assert_eq!(cgroup_limit("0::/user.slice\n", root.path()), None);
        assert_eq!(cgroup_limit("", root.path()), None);
        assert_eq!(cgroup_limit("nonsense\n0::\n", root.path()), None);
    }

    #[test]
    fn a_container_sees_its_own_limit_at_the_root_whatever_its_path_is() {
        let root = limits(&[("memory.max", "536870912\n")]);
        assert_eq!(cgroup_limit("0::/\n", root.path()), Some(512 * MIB));
        assert_eq!(cgroup_limit("0::/docker/0123\n", root.path()), Some(512 * MIB));
    }

    #[test]
    fn the_first_version_has_a_folder_for_memory() {
        let root = limits(&[
            ("memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/docker/0123/memory.limit_in_bytes", "268435456\n"),
            ("cpu/docker/0123/memory.limit_in_bytes", "1\n"),
        ]);
        let cgroups = "5:cpu:/docker/0123\n4:hugetlb,memory:/docker/0123\n0::/\n";
        assert_eq!(cgroup_limit(cgroups, root.path()), Some(256 * MIB));
    }

    #[test]
    fn there_is_a_default_and_a_measure_on_every_machine() {
        assert!(default_max_mib() > 1);
        let resident =
            Process::myself().and_then(|process| process.statm()).expect("the system tells").resident;
        assert!(resident * page_size() > MIB);
    }
}
