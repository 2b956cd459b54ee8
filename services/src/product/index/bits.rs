//! [`Bits`]: which places of one block, a bit each.

use std::array;

/// The places of a block. At more, dividing a block takes long; at fewer, there are more blocks to search.
pub(super) const PLACES: usize = 512;

const WORDS: usize = PLACES / 64;

/// A set of places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bits([u64; WORDS]);

impl Bits {
    pub(super) const EMPTY: Self = Self([0; WORDS]);
    pub(super) const ALL: Self = Self([u64::MAX; WORDS]);

    pub(super) fn contains(&self, place: u16) -> bool {
        let (word, bit) = at(place);
        self.0[word] & bit != 0
    }

    /// Adds a place and tells whether it was missing.
    pub(super) fn insert(&mut self, place: u16) -> bool {
        let (word, bit) = at(place);
        let missing = self.0[word] & bit == 0;
        self.0[word] |= bit;
        missing
    }

    /// Takes a place out and tells whether it was there.
    pub(super) fn remove(&mut self, place: u16) -> bool {
        let (word, bit) = at(place);
        let there = self.0[word] & bit != 0;
        self.0[word] &= !bit;
        there
    }

    /// Adds a place that is missing, or takes it out, and tells whether it is there now.
    pub(super) fn toggle(&mut self, place: u16) -> bool {
        let (word, bit) = at(place);
        self.0[word] ^= bit;
        self.0[word] & bit != 0
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().fold(0, |all, word| all | word) == 0
    }

    /// The places, in order.
    pub(super) fn places(&self) -> impl Iterator<Item = u16> {
        (0..).step_by(64).zip(self.0).flat_map(|(first, mut word)| {
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros() as u16)?;
                word &= word - 1;
                Some(first + bit)
            })
        })
    }

    /// Combines two sets word by word.
    #[inline]
    pub(super) fn zip(&self, other: &Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Self(array::from_fn(|word| combine(self.0[word], other.0[word])))
    }
}

/// The word and the bit in it that stand for a place.
fn at(place: u16) -> (usize, u64) {
    (usize::from(place) / 64, 1 << (place % 64))
}
