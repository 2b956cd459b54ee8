//! [`SeriesBuilder`]: sums up the records of runs as they come. How results look that are kept is not decided here.

use crate::api::Api;
use crate::record::{Calls, Record, Times, new_times};
use crate::results::{ApiRun, ApiTotal, Percentiles, Point, Run, Series, ServiceRun};

/// Points of a distribution for each halving of the distance to its end.
const POINTS_PER_HALF: u32 = 5;

/// The runs of a series so far.
pub(crate) struct SeriesBuilder {
    runs: Vec<Run>,
    /// Those of all APIs first.
    totals: Vec<Total>,
}

/// The calls of one API, or of all together.
struct Total {
    api: &'static str,
    times: Times,
    /// Only what was sent on schedule has them.
    service_times: Option<Times>,
}

impl SeriesBuilder {
    pub(crate) fn new() -> Self {
        Self { runs: Vec::new(), totals: vec![Total::new("all")] }
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Adds a run that began so long after the benchmark, when so many items matched its searches already.
    pub(crate) fn add(
        &mut self,
        record: &Record,
        started_after_s: f64,
        matches_before: u64,
        services: Vec<ServiceRun>,
    ) {
        let duration_s = record.ended_at.since(record.started_at).as_secs_f64();
        let mut all = Total::new("all");
        let mut apis = Vec::new();
        for api in Api::all() {
            let Some(calls) = &record.apis[api as usize] else { continue };
            all.add(&calls.times, calls.service_times.as_ref());
            self.total(api.name()).add(&calls.times, calls.service_times.as_ref());
            apis.push(api_run(api, calls));
        }
        self.totals[0].add(&all.times, all.service_times.as_ref());
        let late = &record.lateness;
        let calls = all.times.len();
        self.runs.push(Run {
            started_after_s,
            matches_before,
            duration_s,
            calls,
            calls_per_second: if duration_s > 0.0 { calls as f64 / duration_s } else { 0.0 },
            times: percentiles(&all.times),
            service_times: all.service_times.as_ref().map(percentiles),
            apis,
            errors: record.errors.clone(),
            wrong: record.wrong,
            repeated: record.repeated,
            unmade: record.unmade,
            lateness_p99_us: (!late.is_empty()).then(|| micros(late.value_at_quantile(0.99))),
            services,
        });
    }

    pub(crate) fn finish(self) -> Series {
        Series { runs: self.runs, apis: self.totals.iter().map(Total::sum_up).collect() }
    }

    fn total(&mut self, api: &'static str) -> &mut Total {
        let place = self.totals.iter().position(|total| total.api == api).unwrap_or_else(|| {
            self.totals.push(Total::new(api));
            self.totals.len() - 1
        });
        &mut self.totals[place]
    }
}

impl Total {
    fn new(api: &'static str) -> Self {
        Self { api, times: new_times(), service_times: None }
    }

    fn add(&mut self, times: &Times, service_times: Option<&Times>) {
        self.times += times;
        if let Some(times) = service_times {
            *self.service_times.get_or_insert_with(new_times) += times;
        }
    }

    fn sum_up(&self) -> ApiTotal {
        let service_times = self.service_times.as_ref();
        ApiTotal {
            api: self.api.to_owned(),
            calls: self.times.len(),
            times: percentiles(&self.times),
            distribution: distribution(&self.times),
            service_times: service_times.map(percentiles),
            service_distribution: service_times.map_or(Vec::new(), distribution),
        }
    }
}

pub(crate) fn percentiles(times: &Times) -> Percentiles {
    let at = |quantile| micros(times.value_at_quantile(quantile));
    Percentiles {
        mean_us: times.mean() / 1000.0,
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: micros(times.max()),
    }
}

fn api_run(api: Api, calls: &Calls) -> ApiRun {
    let count = calls.times.len();
    ApiRun {
        api: api.name().to_owned(),
        calls: count,
        sent_bytes_per_call: calls.sent_bytes as f64 / count as f64,
        received_bytes_per_call: calls.received_bytes as f64 / count as f64,
        in_vain: calls.in_vain,
        times: percentiles(&calls.times),
        service_times: calls.service_times.as_ref().map(percentiles),
    }
}

fn distribution(times: &Times) -> Vec<Point> {
    let points = times.iter_quantiles(POINTS_PER_HALF);
    let point = |at: hdrhistogram::iterators::IterationValue<u64>| Point {
        quantile: at.quantile_iterated_to(),
        time_us: micros(at.value_iterated_to()),
    };
    points.map(point).collect()
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::results::Spread;

    #[test]
    fn runs_are_summed_up_by_api_and_all_together() {
        let mut builder = SeriesBuilder::new();
        for times_us in [[100, 200], [300, 400]] {
            let mut record = Record::new();
            record.ended_at = record.started_at + Duration::from_secs(2);
            record.answered(Api::Ping, Duration::from_micros(times_us[0]), None, 10, 20);
            record.answered(Api::GetItem, Duration::from_micros(times_us[1]), None, 10, 20);
            builder.add(&record, 0.0, 0, Vec::new());
        }
        let series = builder.finish();
        assert_eq!(series.throughput(), Some(Spread { min: 1.0, median: 1.0, max: 1.0 }));
        let calls: Vec<_> = series.apis.iter().map(|total| (total.api.as_str(), total.calls)).collect();
        assert_eq!(calls, [("all", 4), ("Ping", 2), ("GetItem", 2)]);
        let all = &series.apis[0];
        assert!((all.times.mean_us - 250.0).abs() < 1.0, "{}", all.times.mean_us);
        assert!((all.times.max_us - 400.0).abs() < 1.0);
        assert_eq!(all.distribution.last().expect("there are points").quantile, 1.0);
        assert_eq!(series.runs[0].apis[1].received_bytes_per_call, 20.0);
    }

    #[test]
    fn service_times_are_summed_up_where_there_are_any() {
        let mut builder = SeriesBuilder::new();
        let mut record = Record::new();
        let [late, quick] = [900, 100].map(Duration::from_micros);
        record.answered(Api::Ping, late, Some(quick), 10, 20);
        builder.add(&record, 0.0, 0, Vec::new());
        let mut series = builder.finish();
        let near =
            |times: Option<Percentiles>, us: f64| times.is_some_and(|times| (times.p50_us - us).abs() < 1.0);
        let (run, all) = (series.runs.remove(0), series.apis.remove(0));
        assert!(near(Some(run.times), 900.0) && near(run.service_times, 100.0), "{run:?}");
        assert!(near(run.apis[0].service_times, 100.0) && near(all.service_times, 100.0), "{all:?}");
        assert!((all.service_distribution[0].time_us - 100.0).abs() < 1.0, "{all:?}");
    }
}
