//! [`Exposition`]: metrics as text, in the format of Prometheus. It knows no metric.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::{self, Write};

use super::Histogram;

/// Nanoseconds of a second.
const NANOS: f64 = 1e9;

/// A label of a value, and what it says. Neither holds a quotation mark, a backslash or a line's end.
pub(super) type Label<'a> = (&'a str, &'a str);

/// The values of metrics, gathered from all that count them. Values under the same name and labels are added up.
#[derive(Default)]
pub struct Exposition {
    families: BTreeMap<String, Family>,
}

/// All values of one name.
struct Family {
    kind: &'static str,
    help: &'static str,
    /// By their labels, as text.
    values: BTreeMap<String, Value>,
}

enum Value {
    Number {
        number: u64,
        unit: f64,
    },
    /// The counts up to each bound and above the last, and the sum of what was counted.
    Buckets {
        bounds: &'static [u64],
        counts: Vec<u64>,
        sum: u64,
        unit: f64,
    },
}

impl Exposition {
    /// A number that only grows.
    pub fn counter(&mut self, name: &str, help: &'static str, labels: &[Label<'_>], value: u64) {
        self.add(name, "counter", help, labels, Value::Number { number: value, unit: 1.0 });
    }

    /// Nanoseconds that only grow, in seconds.
    pub fn counter_seconds(&mut self, name: &str, help: &'static str, labels: &[Label<'_>], nanos: u64) {
        self.add(name, "counter", help, labels, Value::Number { number: nanos, unit: NANOS });
    }

    /// A number that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &'static str, labels: &[Label<'_>], value: u64) {
        self.add(name, "gauge", help, labels, Value::Number { number: value, unit: 1.0 });
    }

    /// A moment, given in nanoseconds since the Unix epoch, in seconds.
    pub fn gauge_seconds(&mut self, name: &str, help: &'static str, labels: &[Label<'_>], nanos: u64) {
        self.add(name, "gauge", help, labels, Value::Number { number: nanos, unit: NANOS });
    }

    /// A histogram.
    pub fn histogram(&mut self, name: &str, help: &'static str, labels: &[Label<'_>], of: &Histogram) {
        self.add(name, "histogram", help, labels, buckets(of, 1.0));
    }

    /// A histogram of nanoseconds, in seconds.
    pub fn histogram_seconds(
        &mut self,
        name: &str,
        help: &'static str,
        labels: &[Label<'_>],
        of: &Histogram,
    ) {
        self.add(name, "histogram", help, labels, buckets(of, NANOS));
    }

    /// All of it as text, each value with one label more, if there is one for all.
    pub(crate) fn text(&self, common: Option<Label<'_>>) -> String {
        let mut text = String::new();
        let common = common.map(as_text).unwrap_or_default();
        self.write(&mut text, &common).expect("writing to memory cannot fail");
        text
    }

    fn add(
        &mut self,
        name: &str,
        kind: &'static str,
        help: &'static str,
        labels: &[Label<'_>],
        value: Value,
    ) {
        let labels: Vec<String> = labels.iter().copied().map(as_text).collect();
        let family = self.families.entry(name.to_owned());
        let family = family.or_insert_with(|| Family { kind, help, values: BTreeMap::new() });
        match family.values.entry(labels.join(",")) {
            Entry::Vacant(entry) => {
                entry.insert(value);
            }
            Entry::Occupied(mut entry) => entry.get_mut().add(value),
        }
    }

    fn write(&self, text: &mut String, common: &str) -> fmt::Result {
        for (name, Family { kind, help, values }) in &self.families {
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
            for (labels, value) in values {
                let separator = if common.is_empty() || labels.is_empty() { "" } else { "," };
                value.write(text, name, &format!("{common}{separator}{labels}"))?;
            }
        }
        Ok(())
    }
}

impl Value {
    /// Adds what another reactor counted of the same.
    fn add(&mut self, more: Self) {
        match (self, more) {
            (Self::Number { number, .. }, Self::Number { number: more, .. }) => *number += more,
            (Self::Buckets { counts, sum, .. }, Self::Buckets { counts: more, sum: more_sum, .. }) => {
                counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
                *sum += more_sum;
            }
            _ => unreachable!("a name stands for one kind of metric"),
        }
    }

    fn write(&self, text: &mut String, name: &str, labels: &str) -> fmt::Result {
        let in_braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        match self {
            Self::Number { number, unit } => writeln!(text, "{name}{in_braces} {}", as_float(*number) / unit),
            Self::Buckets { bounds, counts, sum, unit } => {
                let bounds = bounds.iter().map(|bound| (as_float(*bound) / unit).to_string());
                let separator = if labels.is_empty() { "" } else { "," };
                let mut total = 0;
                for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(counts) {
                    total += count;
                    writeln!(text, "{name}_bucket{{{labels}{separator}le=\"{bound}\"}} {total}")?;
                }
                writeln!(text, "{name}_sum{in_braces} {}", as_float(*sum) / unit)?;
                writeln!(text, "{name}_count{in_braces} {total}")
            }
        }
    }
}

fn as_text((label, what): Label<'_>) -> String {
    format!("{label}=\"{what}\"")
}

fn buckets(of: &Histogram, unit: f64) -> Value {
    let counts = of.buckets.iter().map(super::Counter::get).collect();
    Value::Buckets { bounds: of.bounds, counts, sum: of.sum.get(), unit }
}

/// Prometheus computes with floating-point numbers: exact up to 2⁵³, and near enough above.
#[allow(clippy::cast_precision_loss)]
fn as_float(value: u64) -> f64 {
    value as f64
}
