//! What a [`Difference`] comes to in words.

use crate::difference::{Difference, Verdict};

use super::format::integer;

/// What B is called whose values are greater, or less, than those of A.
#[derive(Clone, Copy)]
pub(super) struct Words {
    greater: &'static str,
    less: &'static str,
}

/// Of calls in a time.
pub(super) const SPEED: Words = Words { greater: "faster", less: "slower" };
/// Of times.
pub(super) const TIME: Words = Words { greater: "longer", less: "shorter" };
/// Of shares.
pub(super) const SHARE: Words = Words { greater: "greater", less: "smaller" };

/// As a cell of a table, whose head speaks of the interval.
pub(super) fn short(difference: Option<Difference>, words: Words) -> String {
    shown(difference, words, ["not told apart", "too few runs"], "")
}

/// As the end of a sentence.
pub(super) fn long(difference: Option<Difference>, words: Words) -> String {
    let unknown = ["no difference can be told from these runs", "no difference can be told from so few runs"];
    shown(difference, words, unknown, "95 % interval ")
}

fn shown(
    difference: Option<Difference>,
    words: Words,
    [unknown, too_few]: [&str; 2],
    interval_name: &str,
) -> String {
    let Some((difference, (low, high))) = difference.and_then(|it| Some((it, it.interval?))) else {
        return too_few.to_owned();
    };
    // Less is told as how much less, so that the smaller loss comes first.
    let (what, by, from, to) = match difference.verdict() {
        Verdict::Greater => (words.greater, difference.ratio - 1.0, low - 1.0, high - 1.0),
        Verdict::Less => (words.less, 1.0 - difference.ratio, 1.0 - high, 1.0 - low),
        Verdict::Unknown => {
            return format!("{unknown} ({interval_name}{} to {} %)", points(low - 1.0), points(high - 1.0));
        }
    };
    format!("{what} by {} % ({interval_name}{} to {} %)", points(by), points(from), points(to))
}

/// A share in hundredths, with a digit behind the point where it is small.
fn points(share: f64) -> String {
    let points = share * 100.0;
    if points.abs() < 9.95 { format!("{points:.1}") } else { integer(points) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(ratio: f64, interval: Option<(f64, f64)>) -> Option<Difference> {
        Some(Difference { ratio, interval })
    }

    #[test]
    fn what_can_be_told_is_told_with_its_interval() {
        let faster = difference(1.04, Some((1.012, 1.07)));
        assert_eq!(long(faster, SPEED), "faster by 4.0 % (95 % interval 1.2 to 7.0 %)");
        assert_eq!(short(faster, TIME), "longer by 4.0 % (1.2 to 7.0 %)");
        let slower = difference(0.8, Some((0.75, 0.97)));
        assert_eq!(short(slower, SPEED), "slower by 20 % (3.0 to 25 %)");
        assert_eq!(short(slower, SHARE), "smaller by 20 % (3.0 to 25 %)");
    }

    #[test]
    fn what_cannot_be_told_is_said_to_be_so() {
        let noise = difference(1.01, Some((0.97, 1.041)));
        assert_eq!(
            long(noise, SPEED),
            "no difference can be told from these runs (95 % interval -3.0 to 4.1 %)"
        );
        assert_eq!(short(noise, SPEED), "not told apart (-3.0 to 4.1 %)");
        let wild = difference(2.0, Some((0.2, 35.0)));
        assert_eq!(short(wild, SPEED), "not told apart (-80 to 3,400 %)");
        for few in [difference(2.0, None), None] {
            assert_eq!(long(few, SPEED), "no difference can be told from so few runs");
            assert_eq!(short(few, SPEED), "too few runs");
        }
    }
}
