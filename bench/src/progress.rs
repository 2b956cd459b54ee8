//! [`Progress`]: shows on a terminal how far a scenario has come, and how long the rest of it will take. Nothing is said
//! of scenarios that have not begun, because nothing is known of them: a hundred clients are not ten times ten.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// How often it is drawn anew.
const TICK: Duration = Duration::from_millis(200);
/// For how long calls must have been measured before the rest of their run is guessed from them.
const BASIS: Duration = Duration::from_secs(1);

/// Shown on a terminal alone.
pub(crate) struct Progress {
    bar: ProgressBar,
    pace: Arc<Mutex<Pace>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let pace = Arc::new(Mutex::new(Pace::new(0, 1, Instant::now())));
        let shown = Arc::clone(&pace);
        let left = move |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            if let Some(left) = lock(&shown).left(state.pos(), Instant::now()) {
                // What cannot be shown is drawn again soon.
                let _ = write!(text, ", {} left", rounded(left));
            }
        };
        let style =
            ProgressStyle::with_template("{bar:20} {msg}{left}{prefix}").expect("the template is valid");
        let bar = ProgressBar::new(1).with_style(style.with_key("left", left));
        bar.enable_steady_tick(TICK);
        Self { bar, pace }
    }

    /// A scenario begins: so many runs that are alike, each with so many steps to measure, which are calls or
    /// milliseconds. So many others follow.
    pub(crate) fn begin_scenario(&self, runs: usize, steps: usize, following: usize) {
        *lock(&self.pace) = Pace::new(runs, steps, Instant::now());
        self.bar.set_length(runs.saturating_mul(steps) as u64);
        self.bar.set_position(0);
        self.bar.set_prefix(match following {
            0 => String::new(),
            1 => ", then another scenario".to_owned(),
            _ => format!(", then {following} more scenarios"),
        });
    }

    /// Says what is being done.
    pub(crate) fn announce(&self, what: String) {
        self.bar.set_message(what);
    }

    pub(crate) fn begin_run(&self) {
        lock(&self.pace).begin_run(Instant::now());
    }

    /// What the run needed first is done.
    pub(crate) fn begin_measuring(&self) {
        lock(&self.pace).measuring_since = Some(Instant::now());
    }

    /// So many steps of the run are measured.
    pub(crate) fn measured(&self, steps: usize, steps_before: u64) {
        self.bar.set_position(steps_before + steps as u64);
    }

    /// Steps of the scenario that are measured.
    pub(crate) fn position(&self) -> u64 {
        self.bar.position()
    }

    pub(crate) fn end_run(&self) {
        lock(&self.pace).end_run(Instant::now());
    }

    /// Writes a line to standard error. If that fails, nobody is left to tell.
    pub(crate) fn tell(&self, message: &str) {
        self.bar.suspend(|| {
            let _ = writeln!(io::stderr(), "{message}");
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn lock(pace: &Mutex<Pace>) -> MutexGuard<'_, Pace> {
    // Numbers cannot be left in between.
    pace.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How fast the runs of a scenario are.
struct Pace {
    runs: usize,
    steps_per_run: usize,
    runs_done: usize,
    /// What those took, with all that belongs to a run.
    took: Duration,
    run_began_at: Instant,
    /// When the first call of the run under way was measured.
    measuring_since: Option<Instant>,
}

impl Pace {
    fn new(runs: usize, steps_per_run: usize, now: Instant) -> Self {
        Self {
            runs,
            steps_per_run,
            runs_done: 0,
            took: Duration::ZERO,
            run_began_at: now,
            measuring_since: None,
        }
    }

    fn begin_run(&mut self, now: Instant) {
        self.run_began_at = now;
        self.measuring_since = None;
    }

    fn end_run(&mut self, now: Instant) {
        self.took += now - self.run_began_at;
        self.runs_done += 1;
        self.begin_run(now);
    }

    /// What the rest of the scenario will take, if there is anything to guess it from: the runs before, or else a part
    /// of the first.
    fn left(&self, steps: u64, now: Instant) -> Option<Duration> {
        let runs_left =
            u32::try_from(self.runs.checked_sub(self.runs_done)?).ok().filter(|left| *left > 0)?;
        let run = match u32::try_from(self.runs_done).unwrap_or(u32::MAX) {
            0 => self.first_run(steps, now)?,
            done => self.took / done,
        };
        let of_this = now.duration_since(self.run_began_at);
        Some(run.saturating_sub(of_this) + run * (runs_left - 1))
    }

    /// What the first run will take as a whole.
    fn first_run(&self, steps: u64, now: Instant) -> Option<Duration> {
        let since = self.measuring_since?;
        let measuring = now.duration_since(since);
        if measuring < BASIS || steps == 0 {
            return None;
        }
        let whole_s = measuring.as_secs_f64() * self.steps_per_run as f64 / steps as f64;
        Some(since.duration_since(self.run_began_at) + Duration::try_from_secs_f64(whole_s).ok()?)
    }
}

/// A time in the unit that fits it. More digits would pretend to know more.
fn rounded(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..100 => format!("{} s", seconds + 1),
        seconds @ ..6000 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn nothing_is_said_before_there_is_anything_to_guess_from() {
        let start = Instant::now();
        let mut pace = Pace::new(10, 1000, start);
        assert_eq!(pace.left(0, start + 20 * S), None, "accounts are being opened");
        pace.measuring_since = Some(start + 20 * S);
        assert_eq!(pace.left(90, start + 20 * S + BASIS / 2), None);
        assert_eq!(Pace::new(0, 1, start).left(0, start), None);
    }

    #[test]
    fn the_first_run_is_guessed_from_its_measured_calls_alone() {
        let start = Instant::now();
        let mut pace = Pace::new(1, 1000, start);
        pace.measuring_since = Some(start + 20 * S);
        // A tenth of the calls took two seconds, so the other nine take eighteen.
        assert_eq!(pace.left(100, start + 22 * S), Some(18 * S));
        // Each further run opens accounts for twenty seconds, and then takes twenty.
        pace.runs = 3;
        assert_eq!(pace.left(100, start + 22 * S), Some((18 + 2 * 40) * S));
    }

    #[test]
    fn further_runs_are_guessed_from_those_before() {
        let start = Instant::now();
        let mut pace = Pace::new(4, 1000, start);
        pace.end_run(start + 8 * S);
        pace.end_run(start + 20 * S);
        assert_eq!(pace.left(2000, start + 20 * S), Some(20 * S));
        assert_eq!(pace.left(2000, start + 24 * S), Some(16 * S));
        assert_eq!(pace.left(2000, start + 99 * S), Some(10 * S), "this one takes longer than expected");
    }

    #[test]
    fn times_are_shown_in_the_unit_that_fits() {
        let shown = [0, 8, 99, 100, 600, 5999, 6000].map(|seconds| rounded(S * seconds));
        assert_eq!(shown, ["1 s", "9 s", "100 s", "2 min", "10 min", "100 min", "2 h"]);
    }
}
