//! Numbers, times, spreads and descriptions as text, the same wherever they are shown.

use crate::host::Host;
use crate::results::{Options, Spread};

/// What is shown where there is no value.
pub(super) const NONE: &str = "-";

/// A number with at least three digits that matter, and a comma between thousands.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let magnitude = value.abs();
    match magnitude {
        0.0 | 99.95.. => integer(value),
        ..0.9995 => format!("{value:.3}"),
        ..9.995 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    }
}

/// The nearest integer, with a comma between thousands.
pub(super) fn integer(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// One value as a fraction of another.
pub(super) fn ratio(value: f64) -> String {
    if value.is_finite() { format!("{value:.2}") } else { NONE.to_owned() }
}

/// `MEDIAN (MIN–MAX)`, or the median alone if all values look like it.
pub(super) fn spread(spread: Spread, show: impl Fn(f64) -> String) -> String {
    let (min, median, max) = (show(spread.min), show(spread.median), show(spread.max));
    if min == median && median == max { median } else { format!("{median} ({min}–{max})") }
}

/// A share, such as `99.8 %`.
pub(super) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", share * 100.0) } else { NONE.to_owned() }
}

/// The unit that times are shown in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TimeUnit {
    Micros,
    Millis,
    Seconds,
}

impl TimeUnit {
    /// The greatest in which this time is at least one.
    pub(super) fn fitting(time_us: f64) -> Self {
        match time_us {
            1e6.. => Self::Seconds,
            1e3.. => Self::Millis,
            _ => Self::Micros,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Micros => "µs",
            Self::Millis => "ms",
            Self::Seconds => "s",
        }
    }

    /// A time in this unit, without its name.
    pub(super) fn number(self, time_us: f64) -> String {
        let micros = match self {
            Self::Micros => 1.0,
            Self::Millis => 1e3,
            Self::Seconds => 1e6,
        };
        number(time_us / micros)
    }
}

/// A time in the unit that fits it.
pub(super) fn time(time_us: f64) -> String {
    let unit = TimeUnit::fitting(time_us);
    format!("{} {}", unit.number(time_us), unit.name())
}

/// A spread of times in the unit that fits the median.
pub(super) fn time_spread(times: Spread) -> String {
    let unit = TimeUnit::fitting(times.median);
    spread(times, |time_us| unit.number(time_us)) + " " + unit.name()
}

/// Bytes in MiB, without the unit.
pub(super) fn mebibytes(bytes: f64) -> String {
    number(bytes / f64::from(1 << 20))
}

/// The machine and the program in one line.
pub(super) fn host_line(host: &Host) -> String {
    format!(
        "{}: {}, {}, {}, commit {}",
        host.name,
        host.cpu,
        counted(host.processors as f64, "processor"),
        host.kernel,
        host.commit
    )
}

/// What was asked for in one line.
pub(super) fn options_line(options: &Options) -> String {
    let pace = match options.rate {
        Some(rate) => format!("{} calls/s on schedule", number(rate)),
        None => "closed loop".to_owned(),
    };
    let items = options.items.map_or(String::new(), |items| format!(" of {}", counted(items as f64, "item")));
    let data = options.data.as_ref().map_or(String::new(), |folder| format!(", data in {folder}"));
    let against =
        options.against.as_ref().map_or(String::new(), |program| format!(", other build: {program}"));
    let length = match options.duration_s {
        Some(duration_s) => format!("{} s after", number(duration_s)),
        None => format!("{} a client after", counted(options.calls as f64, "call")),
    };
    format!(
        "mix {}{items}, {} of {length} {} to warm up, {pace}, seed {}, services: {}{data}{against}",
        options.mix,
        counted(options.runs as f64, "run"),
        integer(options.warmup as f64),
        options.seed,
        options.services
    )
}

/// So many of something.
pub(super) fn counted(count: f64, noun: &str) -> String {
    let plural = if count == 1.0 { "" } else { "s" };
    format!("{} {noun}{plural}", integer(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        let shown =
            [0.0, 0.04567, 0.99951, 7.0, 9.996, 42.25, 99.96, 999.6, 3860.0, 1234567.0, -1234.0].map(number);
        let expected =
            ["0", "0.046", "1.00", "7.00", "10.0", "42.2", "100", "1,000", "3,860", "1,234,567", "-1,234"];
        assert_eq!(shown, expected);
        assert_eq!(number(f64::NAN), "-");
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        assert_eq!(
            [85.31, 999.0, 1000.0, 168_000.0, 2e6].map(time),
            ["85.3 µs", "999 µs", "1.00 ms", "168 ms", "2.00 s"]
        );
    }

    #[test]
    fn a_spread_without_width_is_its_median() {
        assert_eq!(spread(Spread { min: 1.0, median: 2.0, max: 30.0 }, number), "2.00 (1.00–30.0)");
        assert_eq!(spread(Spread { min: 2.0, median: 2.0, max: 2.0 }, number), "2.00");
    }
}
