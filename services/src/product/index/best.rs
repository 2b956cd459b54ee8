//! [`Best`]: the page of a search, as it is found.

use std::ops::RangeInclusive;

use super::order::Order;
use super::scores::{SCORE_MAX, Scores};
use super::slots::Members;
use crate::api::items::Position;
use crate::api::values::ItemId;
use crate::product::packed::{pack, unpack};

/// The best hits after a position, gathered from blocks that come in order within each score.
pub(super) struct Best<'a> {
    order: &'a Order,
    after: Option<Position>,
    limit: usize,
    /// What a hit's ID may be.
    ids: RangeInclusive<u64>,
    /// No item of a lower score is of use any more.
    score_min: usize,
    /// No item of a higher score is of use.
    score_max: usize,
    /// Of the highest score, no item of a block before this one is of use.
    first_rank: u32,
    by_score: [Vec<u64>; SCORE_MAX + 1],
}

impl<'a> Best<'a> {
    pub(super) fn new(
        order: &'a Order,
        after: Option<Position>,
        limit: usize,
        ids: RangeInclusive<u64>,
        score_max: usize,
    ) -> Self {
        let score_max = after.map_or(score_max, |after| score_max.min(usize::from(after.score)));
        let by_score = [const { Vec::new() }; SCORE_MAX + 1];
        let mut best = Self { order, after, limit, ids, score_min: 1, score_max, first_rank: 0, by_score };
        best.first_rank = order.rank_for(best.first_id(score_max));
        best
    }

    /// How many more items of a score are of use: as many as the page holds beside the better ones, and one to learn
    /// whether more follow.
    pub(super) fn room(&self, score: usize) -> usize {
        if score > self.score_max {
            return 0;
        }
        let found: usize = self.by_score[score..].iter().map(Vec::len).sum();
        self.limit.saturating_add(1).saturating_sub(found)
    }

    /// The least ID that an item of a score may have.
    pub(super) fn first_id(&self, score: usize) -> u64 {
        let after = self.after.filter(|after| usize::from(after.score) == score);
        after.map_or(0, |after| pack(after.id).saturating_add(1)).max(*self.ids.start())
    }

    /// Offers all items of a block that have scores.
    pub(super) fn offer_scores(&mut self, rank: u32, scores: &Scores) {
        let score_max = self.score_max.saturating_sub(usize::from(rank < self.first_rank));
        if self.score_min > score_max {
            return;
        }
        let of_use = scores.at_least(self.score_min);
        if of_use.zip(&scores.at_least(score_max + 1), |of_use, above| of_use & !above).is_empty() {
            return;
        }
        for score in (self.score_min..=score_max).rev() {
            let places = scores.equal_to(score);
            if self.room(score) > 0 && !places.is_empty() {
                self.offer(rank, score, Members::Bits(&places));
            }
        }
        while self.score_min <= self.score_max && self.room(self.score_min) == 0 {
            self.score_min += 1;
        }
    }

    /// Offers these items of a block at one score.
    pub(super) fn offer(&mut self, rank: u32, score: usize, members: Members<'_>) {
        let (room, ids) = (self.room(score), self.first_id(score)..=*self.ids.end());
        let in_block = self.order.ids(self.order.block(rank));
        let found = &mut self.by_score[score];
        let before = found.len();
        found.reserve(members.len());
        members.for_each(|place| {
            let id = in_block[usize::from(place)];
            if ids.contains(&id) {
                found.push(id);
            }
        });
        found[before..].sort_unstable();
        found.truncate(before + room);
    }

    /// Appends the page, and returns the position of its last hit if more follow.
    pub(super) fn append_to(self, hits: &mut Vec<ItemId>) -> Option<Position> {
        let (mut left, mut last, mut more) = (self.limit, None, false);
        for (score, ids) in (0..=u8::MAX).zip(&self.by_score).rev() {
            let page = &ids[..ids.len().min(left)];
            hits.extend(page.iter().map(|&id| unpack(id)));
            last = page.last().map(|&id| Position { score, id: unpack(id) }).or(last);
            more |= page.len() < ids.len();
            left -= page.len();
        }
        last.filter(|_| more)
    }
}
