//! [`Reading`]: what a service has counted since it was started, of what is shown, read from its metrics in Prometheus's
//! text format: as much of that as services use.

use std::collections::BTreeMap;

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Which service it is.
    pub(super) service: String,
    /// When it was started, in seconds since 1970.
    pub(super) began: f64,
    pub(super) apis: BTreeMap<String, Counts>,
    pub(super) connections: Option<f64>,
    pub(super) calls: Option<f64>,
    pub(super) commits: Option<f64>,
    /// How long commits took to be on disk.
    pub(super) flushes: Buckets,
}

/// What was counted of an API.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: f64,
    pub(super) errors: f64,
    pub(super) times: Buckets,
}

/// How many values lie up to each bound, the last of which is infinite.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Buckets(Vec<(f64, f64)>);

/// A value of a metric.
#[derive(Debug, PartialEq)]
struct Series<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
    value: f64,
}

impl Reading {
    /// Reads the metrics of a service.
    ///
    /// # Errors
    /// It is something else.
    pub(super) fn of(text: &str) -> Result<Self, String> {
        let mut reading = Self::default();
        let numbered = text.lines().zip(1..).filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
        for (line, number) in numbered {
            let series =
                Series::of(line).ok_or_else(|| format!("line {number} of its answer is no metric"))?;
            reading.take(&series).ok_or_else(|| format!("line {number} of its answer lacks a label"))?;
        }
        if reading.service.is_empty() {
            return Err("it is no service of the marketplace".to_owned());
        }
        Ok(reading)
    }

    /// Takes note of a value. `None`: it has not the labels that its name asks for.
    fn take(&mut self, series: &Series<'_>) -> Option<()> {
        let value = series.value;
        let add = |sum: &mut Option<f64>| *sum = Some(sum.unwrap_or(0.0) + value);
        match series.name {
            "marketplace_build_info" => self.service = series.label("marketplace_service")?.to_owned(),
            "process_start_time_seconds" => self.began = value,
            "marketplace_connections" => add(&mut self.connections),
            "marketplace_calls_in_flight" => add(&mut self.calls),
            "marketplace_commit_rows_count" | "marketplace_store_group_writes_count" => {
                add(&mut self.commits)
            }
            "marketplace_flush_duration_seconds_bucket" => self.flushes.0.push((series.bound()?, value)),
            "marketplace_requests_total" => {
                let is_error = series.label("outcome")? != "ok";
                let api = self.api(series)?;
                api.requests += value;
                api.errors += if is_error { value } else { 0.0 };
            }
            "marketplace_request_duration_seconds_bucket" => {
                let bound = series.bound()?;
                self.api(series)?.times.0.push((bound, value));
            }
            _ => {}
        }
        Some(())
    }

    fn api(&mut self, series: &Series<'_>) -> Option<&mut Counts> {
        Some(self.apis.entry(series.label("api")?.to_owned()).or_default())
    }
}

impl Buckets {
    /// Those that came after `earlier`, which is empty or has the same bounds.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let before = |place: usize| earlier.0.get(place).map_or(0.0, |(_, count)| *count);
        let later = self.0.iter().enumerate().map(|(place, (to, count))| (*to, count - before(place)));
        Self(later.collect())
    }

    /// Adds others with the same bounds.
    pub(super) fn add(&mut self, more: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&more.0);
        } else {
            self.0.iter_mut().zip(&more.0).for_each(|((_, count), (_, more))| *count += more);
        }
    }

    /// The value up to which this part of all lies, if they lie evenly between the bounds, as Prometheus takes it. `None`:
    /// there are no values.
    pub(super) fn quantile(&self, part: f64) -> Option<f64> {
        let wanted = part * self.0.last()?.1;
        if wanted <= 0.0 {
            return None;
        }
        let place = self.0.iter().position(|(_, count)| *count >= wanted)?;
        let (from, below) = if place > 0 { self.0[place - 1] } else { (0.0, 0.0) };
        let (to, count) = self.0[place];
        let is_last = to.is_infinite();
        Some(if is_last { from } else { from + (to - from) * (wanted - below) / (count - below) })
    }
}

impl<'a> Series<'a> {
    /// Reads one line, `name{label="what",…} value`. No service gives labels that need an escape.
    fn of(line: &'a str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let value = value.parse().ok().filter(|value: &f64| value.is_finite())?;
        let (name, mut rest) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}')?),
            None => (series, ""),
        };
        let mut labels = Vec::new();
        while !rest.is_empty() {
            let (label, after) = rest.split_once("=\"")?;
            let (what, after) = after.split_once('"')?;
            labels.push((label, what));
            rest = if after.is_empty() { after } else { after.strip_prefix(',')? };
        }
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let are_names =
            is_name(name) && labels.iter().all(|(label, what)| is_name(label) && !what.contains('\\'));
        are_names.then_some(Self { name, labels, value })
    }

    fn label(&self, label: &str) -> Option<&'a str> {
        self.labels.iter().find(|(name, _)| *name == label).map(|(_, what)| *what)
    }

    /// The bound of a bucket.
    fn bound(&self) -> Option<f64> {
        self.label("le")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_labels_and_a_number() {
        let read = |line| Series::of(line).map(|series| (series.name, series.labels, series.value));
        assert_eq!(read("up 1"), Some(("up", vec![], 1.0)));
        let labels = vec![("a", "b,c}"), ("le", "+Inf")];
        assert_eq!(read(r#"up_bucket{a="b,c}",le="+Inf"} 2.5e3"#), Some(("up_bucket", labels, 2500.0)));
        for bad in [
            "",
            "up",
            "up one",
            "up NaN",
            "up{ 1",
            "up{a} 1",
            r#"up{a="b} 1"#,
            r#"up{a="b"c="d"} 1"#,
            r#"up{="b"} 1"#,
            "<p> 1",
            " 1",
            r#"up{a="\"} 1"#,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_shown_is_found_and_what_is_not_is_passed_over() {
        let reading = Reading::of(
            r#"# HELP marketplace_requests_total Requests.
marketplace_build_info{marketplace_service="shop",version="1"} 1
marketplace_calls_in_flight{marketplace_service="shop",backend="a"} 2
marketplace_calls_in_flight{marketplace_service="shop",backend="b"} 3
marketplace_requests_total{api="Get",outcome="ok"} 10
marketplace_requests_total{api="Get",outcome="not_found"} 4
marketplace_request_duration_seconds_bucket{api="Get",le="0.1"} 13
marketplace_request_duration_seconds_bucket{api="Get",le="+Inf"} 14
marketplace_request_duration_seconds_sum{api="Get"} 1
marketplace_connections 7
marketplace_store_flights_total 90
marketplace_store_group_writes_count 4
"#,
        );
        let reading = reading.unwrap();
        assert_eq!(reading.service, "shop");
        assert_eq!((reading.connections, reading.calls, reading.commits), (Some(7.0), Some(5.0), Some(4.0)));
        let get = &reading.apis["Get"];
        assert_eq!((get.requests, get.errors), (14.0, 4.0));
        assert_eq!(get.times, Buckets(vec![(0.1, 13.0), (f64::INFINITY, 14.0)]));
    }

    #[test]
    fn whatever_is_no_service_is_told_apart() {
        let error = |text| Reading::of(text).unwrap_err();
        assert_eq!(error("go_goroutines 7\n"), "it is no service of the marketplace");
        assert_eq!(error("\n<html>\n"), "line 2 of its answer is no metric");
        assert_eq!(error("marketplace_requests_total{api=\"Get\"} 1"), "line 1 of its answer lacks a label");
    }

    #[test]
    fn quantiles_lie_evenly_between_bounds() {
        let buckets = Buckets(vec![(1.0, 10.0), (2.0, 30.0), (f64::INFINITY, 40.0)]);
        assert_eq!(buckets.quantile(0.125), Some(0.5));
        assert_eq!(buckets.quantile(0.5), Some(1.5));
        assert_eq!(buckets.quantile(0.75), Some(2.0));
        assert_eq!(buckets.quantile(0.99), Some(2.0), "above the last bound nothing is known");
        assert_eq!(buckets.since(&buckets).quantile(0.5), None);
        assert_eq!(Buckets::default().quantile(0.5), None);
        let earlier = Buckets(vec![(1.0, 0.0), (2.0, 20.0), (f64::INFINITY, 20.0)]);
        assert_eq!(buckets.since(&earlier).quantile(0.5), Some(1.0));
        assert_eq!(buckets.since(&Buckets::default()), buckets);
    }
}
