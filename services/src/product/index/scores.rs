//! [`Scores`]: the scores of all items of a block at once.

use super::bits::{Bits, at};
use super::slots::Members;

/// The bits of a score, which is 10 at most: 2 for each of 5 keywords.
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
        if let Members::Bits { bits, .. } = members {
            for (word, &added) in bits.0.iter().enumerate() {
                self.add_word(bit, word, added);
            }
        } else {
            for place in members.places() {
                let (word, added) = at(place);
                self.add_word(bit, word, added);
            }
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
        let all = Bits::EMPTY.zip(&Bits::EMPTY, |_, _| u64::MAX);
        self.planes.iter().enumerate().fold(all, |equal, (bit, plane)| {
            if score >> bit & 1 == 1 {
                equal.zip(plane, |equal, plane| equal & plane)
            } else {
                equal.zip(plane, |equal, plane| equal & !plane)
            }
        })
    }

    /// The places of this score or a higher one.
    pub(super) fn at_least(&self, score: usize) -> Bits {
        // A score is lower if, at the highest bit where the two differ, the bit is missing.
        let all = Bits::EMPTY.zip(&Bits::EMPTY, |_, _| u64::MAX);
        self.planes.iter().enumerate().fold(all, |at_least, (bit, plane)| {
            if score >> bit & 1 == 1 {
                at_least.zip(plane, |at_least, plane| at_least & plane)
            } else {
                at_least.zip(plane, |at_least, plane| at_least | plane)
            }
        })
    }

    fn add_word(&mut self, bit: usize, word: usize, added: u64) {
        let mut carry = added;
        for plane in &mut self.planes[bit..] {
            let plane = &mut plane.0[word];
            let both = *plane & carry;
            *plane ^= carry;
            carry = both;
        }
        debug_assert_eq!(carry, 0, "no score is above what its bits can hold");
    }
}
