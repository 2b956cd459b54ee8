//! [`Difference`]: what the runs of two programs tell of how one relates to the other. Nothing is assumed of how values
//! are spread: those of runs on a shared machine have long tails, and a mean would follow the worst of them.

use statrs::stats_tests::Alternative;
use statrs::stats_tests::mannwhitneyu::{MannWhitneyUMethod, mannwhitneyu};

/// A ratio that so few of all experiments would contradict by chance is not ruled out.
const SIGNIFICANCE: f64 = 0.05;
/// Halvings of the range in which a ratio is looked for: far beyond the digits that are shown.
const HALVINGS: u32 = 40;
/// With more runs, some are left out, evenly: the test takes time by the square of their number, and so many say enough.
const RUNS_MAX: usize = 400;
/// How far beyond all ratios of two runs it is looked for, as a logarithm.
const BEYOND: f64 = 0.001;

/// How the runs of B relate to those of A.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Difference {
    /// The ratio of B to A under which their runs look most alike: the median of the ratios of all pairs.
    pub(crate) ratio: f64,
    /// The least and the greatest ratio that a Mann-Whitney test of the runs does not rule out: those between them hold
    /// the true one in 95 of 100 experiments. `None`: there are so few runs that none is ruled out.
    pub(crate) interval: Option<(f64, f64)>,
}

/// What can be said of B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Greater,
    Less,
    /// Chance alone may have made the difference.
    Unknown,
}

impl Difference {
    /// `None`: one of them has no runs, or a value that is no positive number.
    pub(crate) fn of(a: &[f64], b: &[f64]) -> Option<Self> {
        let is_sound = |values: &[f64]| {
            !values.is_empty() && values.iter().all(|value| value.is_normal() && *value > 0.0)
        };
        if !is_sound(a) || !is_sound(b) {
            return None;
        }
        let [a, b] = [a, b].map(thinned);
        let (a, b) = (&a[..], &b[..]);
        let (least, most) = (
            |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min),
            |values: &[f64]| values.iter().copied().fold(0.0, f64::max),
        );
        let low = (least(b) / most(a)).ln() - BEYOND;
        let high = (most(b) / least(a)).ln() + BEYOND;
        let half = (a.len() * b.len()) as f64 / 2.0;
        let middle = crossing(low, high, |at| test(a, b, at).0 < half);
        let is_ruled_out = |at: f64| test(a, b, at).1 < SIGNIFICANCE;
        let interval = suffice(a.len(), b.len()).then(|| {
            let (from, to) =
                (crossing(low, middle, is_ruled_out), crossing(middle, high, |at| !is_ruled_out(at)));
            (from.exp(), to.exp())
        });
        Some(Self { ratio: middle.exp(), interval })
    }

    pub(crate) fn verdict(&self) -> Verdict {
        match self.interval {
            Some((low, _)) if low > 1.0 => Verdict::Greater,
            Some((_, high)) if high < 1.0 => Verdict::Less,
            _ => Verdict::Unknown,
        }
    }
}

/// The values, or every so many of them.
fn thinned(values: &[f64]) -> Vec<f64> {
    values.iter().copied().step_by(values.len().div_ceil(RUNS_MAX)).collect()
}

/// Whether so many runs can rule anything out: if all of one were beyond all of the other, in either direction, chance
/// alone must do that seldom enough.
fn suffice(of_a: usize, of_b: usize) -> bool {
    let arrangements = (1..=of_a).fold(1.0, |count, run| count * (of_b + run) as f64 / run as f64);
    2.0 / arrangements < SIGNIFICANCE
}

/// How the runs of A compare with those of B once they are multiplied by a ratio, given as its logarithm: the statistic,
/// which rises with the ratio, and how often chance alone would make it as extreme.
///
/// The approximation for many runs is used for few as well: at this significance it decides as the exact
/// distribution does, which a test shows. The library's exact method is wrong where A does not have more runs than B.
fn test(a: &[f64], b: &[f64], ratio_ln: f64) -> (f64, f64) {
    let ratio = ratio_ln.exp();
    let scaled: Vec<f64> = a.iter().map(|value| value * ratio).collect();
    let method = MannWhitneyUMethod::AsymptoticInclContinuityCorrection;
    mannwhitneyu(&scaled, b, method, Alternative::TwoSided).expect("there are runs, and all are numbers")
}

/// Where a property ends that holds at the lower end, and not at the upper one.
fn crossing(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    fn near(value: f64, expected: f64) -> bool {
        (value / expected - 1.0).abs() < 1e-6
    }

    #[test]
    fn the_ratio_is_the_median_of_those_of_all_pairs_whatever_the_worst_run_was() {
        let a = [100.0, 101.0, 99.0, 102.0, 98.0];
        let b = a.map(|value| value * 1.5);
        let difference = Difference::of(&a, &b).expect("there are runs");
        assert!(near(difference.ratio, 1.5), "{difference:?}");
        assert_eq!(difference.verdict(), Verdict::Greater);
        let reversed = Difference::of(&b, &a).expect("there are runs");
        assert!(near(reversed.ratio, 1.0 / 1.5) && reversed.verdict() == Verdict::Less, "{reversed:?}");
        let (low, high) = reversed.interval.expect("there are enough runs");
        let (other_low, other_high) = difference.interval.expect("there are enough runs");
        assert!(near(low, 1.0 / other_high) && near(high, 1.0 / other_low), "{reversed:?}");
        // A run that was held up does not move it much.
        let mut held_up = b;
        held_up[2] = 1.0;
        let ratio = Difference::of(&a, &held_up).expect("there are runs").ratio;
        assert!((1.48..1.52).contains(&ratio), "{ratio}");
    }

    #[test]
    fn the_interval_holds_what_the_exact_test_does_not_rule_out() {
        // All arrangements of the ranks of so few runs, of which those as extreme as this one are counted.
        let exact = |ranks_of_a: &[usize], all: usize| {
            let sums = |mask: usize| {
                (0..all).filter(|rank| mask >> rank & 1 == 1).map(|rank| rank + 1).sum::<usize>()
            };
            let of_size = |mask: &usize| mask.count_ones() as usize == ranks_of_a.len();
            let all_sums: Vec<usize> = (0..1 << all).filter(of_size).map(sums).collect();
            let sum: usize = ranks_of_a.iter().sum();
            let middle = ranks_of_a.len() * (all + 1);
            let as_extreme =
                all_sums.iter().filter(|other| (**other * 2).abs_diff(middle) >= (sum * 2).abs_diff(middle));
            as_extreme.count() as f64 / all_sums.len() as f64
        };
        let mut rng = Rng::with_seed(7);
        for (of_a, of_b) in [(2, 2), (3, 3), (4, 4), (5, 5), (4, 6), (6, 4), (7, 7), (3, 8)] {
            for _ in 0..20 {
                let mut ranks: Vec<usize> = (1..=of_a + of_b).collect();
                rng.shuffle(&mut ranks);
                let values =
                    |ranks: &[usize]| ranks.iter().map(|rank| *rank as f64 + 100.0).collect::<Vec<_>>();
                let (a, b) = ranks.split_at(of_a);
                let by_chance = exact(a, of_a + of_b);
                let is_ruled_out = test(&values(a), &values(b), 0.0).1 < SIGNIFICANCE;
                // Where the two do not agree, it is by a hair.
                assert!(
                    is_ruled_out == (by_chance < SIGNIFICANCE) || (by_chance - SIGNIFICANCE).abs() < 0.01,
                    "{ranks:?}: {by_chance}"
                );
            }
        }
    }

    #[test]
    fn an_interval_of_noise_holds_the_truth_in_about_95_of_100_experiments() {
        let mut rng = Rng::with_seed(3);
        let mut held = 0;
        for _ in 0..400 {
            // Sums of few draws, with a tail on one side as runs have it.
            let mut run = |scale: f64| scale * (10.0 - rng.f64() - rng.f64() * rng.f64() * 2.0);
            let (a, b): (Vec<_>, Vec<_>) = (0..10).map(|_| (run(100.0), run(103.0))).unzip();
            let (low, high) =
                Difference::of(&a, &b).and_then(|difference| difference.interval).expect("there are runs");
            held += usize::from((low..high).contains(&1.03));
        }
        assert!((365..=395).contains(&held), "{held} of 400");
    }

    #[test]
    fn of_many_runs_so_many_are_compared_as_say_enough() {
        let many = |scale: f64| (0..10_000).map(|run| scale * f64::from(100 + run % 7)).collect::<Vec<_>>();
        assert_eq!([1, 400, 401, 10_000].map(|runs| thinned(&many(1.0)[..runs]).len()), [1, 400, 201, 400]);
        let difference = Difference::of(&many(1.0), &many(1.01)).expect("there are runs");
        assert!(near(difference.ratio, 1.01) && difference.verdict() == Verdict::Greater, "{difference:?}");
    }

    #[test]
    fn of_few_runs_nothing_is_told_and_of_none_nothing_is_known() {
        for runs in 1..=3 {
            let (a, b) = (vec![1.0; runs], vec![9.0; runs]);
            let difference = Difference::of(&a, &b).expect("there are runs");
            assert_eq!((difference.interval, difference.verdict()), (None, Verdict::Unknown));
        }
        assert!(suffice(4, 4) && suffice(2, 8) && !suffice(3, 4) && !suffice(2, 7) && !suffice(1, 38));
        for bad in [&[][..], &[0.0], &[f64::NAN], &[f64::INFINITY], &[-1.0]] {
            assert_eq!(Difference::of(bad, &[1.0]), None);
            assert_eq!(Difference::of(&[1.0], bad), None);
        }
        let same = Difference::of(&[5.0; 10], &[5.0; 10]).expect("there are runs");
        assert!(near(same.ratio, 1.0) && same.verdict() == Verdict::Unknown, "{same:?}");
    }
}
