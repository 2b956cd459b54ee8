//! [`Axis`]: where a value lies on an axis of a chart, and where its ticks are.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

use super::format::{integer, time};

/// How many ticks a linear axis has at least; it has about twice as many at most.
const LINEAR_TICKS_MIN: f64 = 4.0;
/// With more ticks than these, an axis of times has those of whole decades alone.
const TIME_TICKS_MAX: usize = 12;
/// The least time that an axis of times must hold.
const TIME_US_MIN: f64 = 0.1;
/// On an axis of more nines, each second of the long labels is left out.
const NINES_MAX: f64 = 6.5;
/// Counts that lie closer to the one before than this factor have no tick, because their labels would meet.
const COUNTS_APART: f64 = 1.25;

/// An axis of a chart. Values beyond its ends lie at them.
#[derive(Clone)]
pub(super) struct Axis {
    pub(super) title: &'static str,
    scale: Scale,
    /// The positions of its ends on its scale.
    low: f64,
    high: f64,
    /// Values with their labels.
    ticks: Vec<(f64, String)>,
}

#[derive(Clone, Copy)]
enum Scale {
    Linear,
    Log,
    /// Each nine of a quantile is as far from the one before, and 1 infinitely far.
    Nines,
}

impl Scale {
    fn position(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.log10(),
            Self::Nines => -(1.0 - value).log10(),
        }
    }

    fn value(self, position: f64) -> f64 {
        match self {
            Self::Linear => position,
            Self::Log => 10_f64.powf(position),
            Self::Nines => 1.0 - 10_f64.powf(-position),
        }
    }
}

impl Axis {
    /// From 0 to a round number above this one.
    pub(super) fn linear(title: &'static str, most: f64) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let step = step(most);
        let steps = (most / step).ceil() as u32;
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let label = |value: f64| if decimals == 0 { integer(value) } else { format!("{value:.decimals$}") };
        let ticks = (0..=steps).map(|count| step * f64::from(count)).map(|value| (value, label(value)));
        Self { title, scale: Scale::Linear, low: 0.0, high: step * f64::from(steps), ticks: ticks.collect() }
    }

    /// Times in microseconds, on a logarithmic scale between two round ones that hold these two.
    pub(super) fn times(title: &'static str, least_us: f64, most_us: f64) -> Self {
        let scale = Scale::Log;
        let least_us = least_us.max(TIME_US_MIN);
        let most_us = most_us.max(least_us * 1.01);
        let decades = scale.position(least_us).floor() as i32..=scale.position(most_us).ceil() as i32;
        let round: Vec<f64> =
            decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|n| n * 10_f64.powi(decade))).collect();
        let first = round.iter().rposition(|time_us| *time_us <= least_us).unwrap_or(0);
        let last = round.iter().position(|time_us| *time_us >= most_us).unwrap_or(round.len() - 1);
        let mut shown = round[first..=last].to_vec();
        let (low, high) = (scale.position(round[first]), scale.position(round[last]));
        if shown.len() > TIME_TICKS_MAX {
            shown.retain(|time_us| scale.position(*time_us).fract() == 0.0);
        }
        let ticks = shown.into_iter().map(|time_us| (time_us, tick_time(time_us))).collect();
        Self { title, scale, low, high, ticks }
    }

    /// Rising counts on a logarithmic scale, each with a tick.
    pub(super) fn counts(title: &'static str, counts: &[usize]) -> Self {
        let scale = Scale::Log;
        let mut ticks: Vec<(f64, String)> = Vec::new();
        for &count in counts {
            let value = count as f64;
            if ticks.last().is_none_or(|(last, _)| value >= last * COUNTS_APART) {
                ticks.push((value, integer(value)));
            }
        }
        let end = |count: Option<&usize>| scale.position(count.map_or(1.0, |count| *count as f64));
        Self { title, scale, low: end(counts.first()) - 0.15, high: end(counts.last()) + 0.15, ticks }
    }

    /// Quantiles of so many calls. The end of the axis is the place of the slowest call.
    pub(super) fn nines(title: &'static str, calls: u64) -> Self {
        let most = (calls.max(10) as f64).log10();
        let mut ticks = vec![(0.5, "50 %".to_owned())];
        let is_crowded = most > NINES_MAX;
        for nines in (1..=most.floor() as i32).filter(|nines| *nines < 4 || nines % 2 == 0 || !is_crowded) {
            let decimals = (nines - 2).max(0) as usize;
            let quantile = 1.0 - 10_f64.powi(-nines);
            ticks.push((quantile, format!("{:.decimals$} %", 100.0 * quantile)));
        }
        Self { title, scale: Scale::Nines, low: 0.0, high: most, ticks }
    }

    /// The label of the tick at this value.
    pub(super) fn label(&self, value: f64) -> String {
        let tick = self.ticks.iter().find(|(at, _)| *at == value);
        tick.map_or(String::new(), |(_, label)| label.clone())
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let part = (self.scale.position(*value) - self.low) / (self.high - self.low);
        let part = part.clamp(0.0, 1.0);
        first + (part * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(value, _)| *value).collect()
    }

    fn range(&self) -> Range<f64> {
        let value = |position| self.scale.value(position);
        value(self.low)..value(self.high)
    }
}

/// The greatest of 1, 2 and 5 times a power of ten that gives enough ticks.
fn step(most: f64) -> f64 {
    let rough = most / LINEAR_TICKS_MIN;
    let decade = 10_f64.powf(rough.log10().floor());
    let factor = [5.0, 2.0].into_iter().find(|factor| factor * decade <= rough);
    factor.unwrap_or(1.0) * decade
}

/// A round time without the zeros that `time` shows behind the point.
fn tick_time(time_us: f64) -> String {
    let text = time(time_us);
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            labels(&Axis::linear("", 23_255.0)),
            ["0", "5,000", "10,000", "15,000", "20,000", "25,000"]
        );
        assert_eq!(labels(&Axis::linear("", 2.1)), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]);
        assert_eq!(
            labels(&Axis::times("", 90.0, 1900.0)),
            ["50 µs", "100 µs", "200 µs", "500 µs", "1 ms", "2 ms"]
        );
        assert_eq!(labels(&Axis::times("", 100.0, 100.0)), ["100 µs", "200 µs"]);
        assert_eq!(labels(&Axis::nines("", 20_000)), ["50 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        assert_eq!(
            labels(&Axis::nines("", 20_000_000)),
            ["50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.9999 %"]
        );
        assert_eq!(labels(&Axis::times("", 20.0, 1.9e6)), ["100 µs", "1 ms", "10 ms", "100 ms", "1 s"]);
    }

    #[test]
    fn counts_that_lie_too_close_share_a_tick() {
        assert_eq!(labels(&Axis::counts("", &[2, 20, 20, 21, 2000])), ["2", "20", "2,000"]);
    }

    #[test]
    fn the_last_quantile_lies_at_the_end() {
        let axis = Axis::nines("", 1000);
        assert_eq!(
            [0.0, 0.9, 0.99, 0.999, 1.0].map(|value| axis.map(&value, (0, 300))),
            [0, 100, 200, 300, 300]
        );
    }
}
