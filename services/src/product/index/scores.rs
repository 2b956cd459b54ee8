//! [`Scores`]: the scores of all items of a block at once.

use super::bits::Bits;
use super::slots::Members;

/// The highest score: 2 for each of 5 keywords.
pub(super) const SCORE_MAX: usize = 10;

/// The bits of a score.
const PLANES: usize = 4;

/// Bit-sliced scores: the places in plane b are those whose score has bit b.
pub(super) struct Scores {
    planes: [Bits; PLANES],
}

impl Scores {
    pub(super) fn new() -> Self {
        Self { planes: [Bits::EMPTY; PLANES] }
    }

    /// Adds 2^bit to the score of each of some places, as a binary adder does: what a plane has already is carried.
    pub(super) fn add(&mut self, bit: usize, members: Members<'_>) {
        let planes = &mut self.planes[bit..];
        match members {
            Members::Bits(bits) => {
                let mut carry = *bits;
                for plane in planes {
                    let both = plane.zip(&carry, |plane, carry| plane & carry);
                    *plane = plane.zip(&carry, |plane, carry| plane ^ carry);
                    carry = both;
                }
                debug_assert!(carry.is_empty(), "no score is above what its bits can hold");
            }
            Members::List(_) => members.for_each(|place| {
                // The lowest plane that has not got the place gets it, and those below it lose it.
                let carried = planes.iter_mut().find_map(|plane| plane.toggle(place).then_some(()));
                debug_assert!(carried.is_some(), "no score is above what its bits can hold");
            }),
        }
    }

    /// Sets the score of all places but some to 0.
    pub(super) fn retain(&mut self, places: &Bits) {
        self.planes = self.planes.map(|plane| plane.zip(places, |plane, places| plane & places));
    }

    /// The places of any score but 0.
    pub(super) fn scored(&self) -> Bits {
        let [first, rest @ ..] = &self.planes;
        rest.iter().fold(*first, |all, plane| all.zip(plane, |all, plane| all | plane))
    }

    /// The places of exactly this score, which is not 0.
    pub(super) fn equal_to(&self, score: usize) -> Bits {
        self.planes.iter().enumerate().fold(Bits::ALL, |equal, (bit, plane)| {
            // All bits, if the plane is to be without the place.
            let flip = (score as u64 >> bit & 1).wrapping_sub(1);
            equal.zip(plane, |equal, plane| equal & (plane ^ flip))
        })
    }

    /// The places of this score or a higher one.
    pub(super) fn at_least(&self, score: usize) -> Bits {
        // At the highest bit where the two differ, the place has the bit.
        self.planes.iter().enumerate().fold(Bits::ALL, |at_least, (bit, plane)| {
            if score >> bit & 1 == 1 {
                at_least.zip(plane, |at_least, plane| at_least & plane)
            } else {
                at_least.zip(plane, |at_least, plane| at_least | plane)
            }
        })
    }
}
