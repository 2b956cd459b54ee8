//! An item ID as one integer, which sorts as the ID does.

use std::ops::RangeInclusive;

use crate::api::values::ItemId;

pub(crate) fn pack(id: ItemId) -> u64 {
    u64::from(id.category) << 32 | u64::from(id.n)
}

pub(crate) fn unpack(packed: u64) -> ItemId {
    ItemId { category: (packed >> 32) as u32, n: packed as u32 }
}

/// All IDs of a category.
pub(crate) fn all_of(category: u32) -> RangeInclusive<u64> {
    let first = pack(ItemId { category, n: 0 });
    first..=first | u64::from(u32::MAX)
}
