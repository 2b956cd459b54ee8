//! [`Results`]: what a benchmark found, as it is kept in a JSON file. How it is shown is not known here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::host::Host;

/// A whole benchmark.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// Where it ran.
    pub host: Host,
    /// What was asked for.
    pub options: Options,
    /// In the order in which they were measured.
    pub scenarios: Vec<Measured>,
    /// Why there are fewer scenarios or runs than were asked for. `None`: all are there.
    #[serde(default)]
    pub incomplete: Option<String>,
}

/// The options of a benchmark.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Options {
    /// The name of the mix.
    pub mix: String,
    /// Items that were bought, if the mix is about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<usize>,
    /// Runs of each scenario.
    pub runs: usize,
    /// Measured calls of each client in a run; 0 if a run had a duration instead.
    pub calls: usize,
    /// For how many seconds each run began calls, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<f64>,
    /// Calls of each client before those.
    pub warmup: usize,
    /// Calls a second that were sent on schedule; `None`: a closed loop.
    pub rate: Option<f64>,
    /// What decided the clients' choices.
    pub seed: u64,
    /// What was measured: `own` services, with their options if any were given, or the addresses of running ones.
    pub services: String,
    /// The program whose services were measured in turn, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// Where the data of own services lay, if it was not among temporary files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// The results of one scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Clients, as `BUYERS+SELLERS`.
    pub scenario: String,
    /// Both kinds of clients together.
    pub clients: usize,
    /// What the marketplace did.
    pub marketplace: Series,
    /// What services of another build did in turn with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<Series>,
    /// What a bare relay did for the same clients in turn with it.
    pub floor: Option<Series>,
    /// What a relay did that flushes what the services would flush.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flushed_floor: Option<Series>,
}

/// What is measured in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Marketplace,
    /// Services of another build.
    Against,
    Floor,
    FlushedFloor,
}

/// All runs of a scenario against one kind of services.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Series {
    /// In order.
    pub runs: Vec<Run>,
    /// The calls of all runs together: those of all APIs first, under the name `all`, then by API.
    pub apis: Vec<ApiTotal>,
}

/// One run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Since the start of the benchmark.
    pub started_after_s: f64,
    /// Items that the search of the default mix found before, and finds beside those of the run.
    #[serde(default)]
    pub matches_before: u64,
    /// From the first measured call to the last reply.
    pub duration_s: f64,
    /// Measured calls.
    pub calls: u64,
    /// Measured calls by the duration.
    pub calls_per_second: f64,
    /// Response times of all calls.
    pub times: Percentiles,
    /// Service times of all calls, if they were sent on schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_times: Option<Percentiles>,
    /// By API.
    pub apis: Vec<ApiRun>,
    /// Failed calls by the code of the error.
    pub errors: BTreeMap<String, u64>,
    /// Replies that did not say what they must say.
    pub wrong: u64,
    /// Calls that were made again because their connection was cut.
    #[serde(default)]
    pub repeated: u64,
    /// Scheduled calls that were not made, because their client was busy until the time was up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unmade: u64,
    /// How late scheduled calls left although their client was free: 99 in 100 no later than this.
    pub lateness_p99_us: Option<f64>,
    /// The cost of each service, if the benchmark started them, and of the load generator.
    pub services: Vec<ServiceRun>,
}

/// The calls of one API in a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiRun {
    /// Its name.
    pub api: String,
    /// Measured calls.
    pub calls: u64,
    /// Bytes of a request, on average.
    pub sent_bytes_per_call: f64,
    /// Bytes of a reply, on average.
    pub received_bytes_per_call: f64,
    /// Calls that had nothing to find and nothing to change.
    #[serde(default)]
    pub in_vain: u64,
    /// Response times: from the moment a call was due, or was sent if there is no schedule.
    pub times: Percentiles,
    /// Service times, if calls were sent on schedule: from the moment they were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_times: Option<Percentiles>,
}

/// The calls of one API in all runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiTotal {
    /// Its name, or `all`.
    pub api: String,
    /// Measured calls.
    pub calls: u64,
    /// Response times.
    pub times: Percentiles,
    /// Points of the distribution, by rising quantile.
    pub distribution: Vec<Point>,
    /// Service times, if calls were sent on schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_times: Option<Percentiles>,
    /// The points of their distribution.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_distribution: Vec<Point>,
}

/// A point of a distribution: so many of all calls took no longer than this.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Point {
    /// From 0 to 1.
    pub quantile: f64,
    /// In microseconds.
    pub time_us: f64,
}

/// Response times in microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Percentiles {
    /// The average.
    pub mean_us: f64,
    /// The median.
    pub p50_us: f64,
    /// 90 %.
    pub p90_us: f64,
    /// 99 %.
    pub p99_us: f64,
    /// 99.9 %.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
}

/// The cost of one service in a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceRun {
    /// Its name.
    pub service: String,
    /// Processor time by the number of all measured calls, whether or not they went through this service.
    pub cpu_us_per_call: f64,
    /// The most resident memory since its start.
    pub memory_peak_bytes: u64,
    /// Groups that were flushed to disk, if it is a database.
    pub commits_per_second: Option<f64>,
}

/// A value of each run, summed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The one in the middle; of an even number, the mean of the two there.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// `None`: there are no values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { min, median: (low + high) / 2.0, max })
    }
}

impl Subject {
    /// In the order in which they are shown.
    pub(crate) const ALL: [Self; 4] = [Self::Marketplace, Self::Against, Self::Floor, Self::FlushedFloor];
    pub(crate) const FLOORS: [Self; 2] = [Self::Floor, Self::FlushedFloor];

    /// As tables name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Marketplace => "marketplace",
            Self::Against => "other build",
            Self::Floor => "floor",
            Self::FlushedFloor => "flushed floor",
        }
    }
}

impl Series {
    /// Calls a second over the runs.
    pub fn throughput(&self) -> Option<Spread> {
        Spread::of(self.runs.iter().map(|run| run.calls_per_second))
    }
}

impl Measured {
    /// Whether every reply was what it must be.
    pub fn is_right(&self) -> bool {
        let mut runs = self.all_series().flat_map(|(_, series)| &series.runs);
        runs.all(|run| run.wrong == 0 && run.errors.is_empty())
    }

    /// Runs, each with those of all other subjects beside it.
    pub(crate) fn complete_runs(&self, subjects: &[Subject]) -> usize {
        let runs = |subject: &Subject| self.series(*subject).map_or(0, |series| series.runs.len());
        subjects.iter().map(runs).min().unwrap_or(0)
    }

    /// What one of them did, if it was measured.
    pub(crate) fn series(&self, subject: Subject) -> Option<&Series> {
        match subject {
            Subject::Marketplace => Some(&self.marketplace),
            Subject::Against => self.against.as_ref(),
            Subject::Floor => self.floor.as_ref(),
            Subject::FlushedFloor => self.flushed_floor.as_ref(),
        }
    }

    /// What each of those did that were measured.
    pub(crate) fn all_series(&self) -> impl Iterator<Item = (Subject, &Series)> {
        Subject::ALL.into_iter().filter_map(|subject| Some((subject, self.series(subject)?)))
    }

    /// The throughput of each run of the marketplace as a fraction of that of the run of a relay beside it.
    pub(crate) fn of_floor(&self, floor: Subject) -> Option<Spread> {
        Spread::of(self.shares_of_floor(floor))
    }

    /// The same, by run; none if it was not measured.
    pub(crate) fn shares_of_floor(&self, floor: Subject) -> Vec<f64> {
        let floor = self.series(floor).map_or(&[][..], |series| &series.runs[..]);
        let pairs = self.marketplace.runs.iter().zip(floor);
        pairs.map(|(run, floor)| run.calls_per_second / floor.calls_per_second).collect()
    }
}

impl Results {
    /// Whether every reply was what it must be.
    pub fn is_right(&self) -> bool {
        self.scenarios.iter().all(Measured::is_right)
    }

    /// The scenarios that others have measured as well, each beside theirs.
    pub fn in_both<'a>(&'a self, others: &'a Self) -> impl Iterator<Item = (&'a Measured, &'a Measured)> {
        let beside = |own: &Measured| others.scenarios.iter().find(|other| other.scenario == own.scenario);
        self.scenarios.iter().filter_map(move |own| Some((own, beside(own)?)))
    }
}

/// Whether a count is not worth being kept.
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 9.0]), Some(Spread { min: 1.0, median: 3.0, max: 9.0 }));
        assert_eq!(Spread::of([5.0]), Some(Spread { min: 5.0, median: 5.0, max: 5.0 }));
        assert_eq!(Spread::of([]), None);
    }
}
