//! [`Guard`]: ends the processes of a test that are nobody's children, however the test ends.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits until its standard input ends, as that of a pipe does when who holds the other end is gone. Whoever works in the
/// folder is killed, again until nobody is left, and the folder is removed.
const SCRIPT: &str = r#"
cat
while
    left=
    for process in /proc/[0-9]*; do
        case $(readlink "$process/cwd") in
            "$0"/*) left=1; kill -KILL "${process#/proc/}" ;;
        esac
    done
    [ -n "$left" ]
do sleep 0.1; done 2>/dev/null
rm -rf "$0"
"#;

/// Dropped, or when this process ends in whatever way, it kills all processes whose current folder is below its folder, and
/// removes that.
pub(crate) struct Guard(Child);

impl Guard {
    pub(crate) fn over(folder: &Path) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT]).arg(folder).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null());
        // Ctrl-C reaches all processes of a group, and this one must outlive the others.
        Self(shell.process_group(0).spawn().expect("there is a shell"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("it is our child");
    }
}
