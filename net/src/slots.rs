//! [`Slots`]: a table whose entries are found by their [`Conn`]. Slots are reused; a `Conn` that had a slot before
//! finds nothing there. Only here does a node look at generations; a driver that reuses slots compares whole names.
//!
//! Links are not in such a table. There are as many as backends, each for as long as its node, and its number is what a
//! service and its configuration call it; so [`Peer::Link`](crate::Peer::Link) has no generation, and does not tell one
//! connection of a link from the next. Only the driver could confuse them, and it makes them itself, one after the
//! other: a node obliges it to say nothing of a link between `Close` and the next `Connect`.

use slab::Slab;

use crate::event::Conn;

/// Entries in dense slots, each under the generation in which it came.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    entries: Slab<(u32, T)>,
    /// That of the newest entry. It wraps around: a `Conn` would have to be kept over four thousand million others to
    /// be mistaken for one of them.
    generation: u32,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        Self { entries: Slab::new(), generation: 0 }
    }

    /// Puts an entry into a free slot.
    pub(crate) fn insert(&mut self, entry: T) -> Conn {
        self.generation = self.generation.wrapping_add(1);
        let slot = self.entries.insert((self.generation, entry));
        conn(slot, self.generation)
    }

    pub(crate) fn get(&self, conn: Conn) -> Option<&T> {
        let (generation, entry) = self.entries.get(conn.slot())?;
        (*generation == conn.generation).then_some(entry)
    }

    pub(crate) fn get_mut(&mut self, conn: Conn) -> Option<&mut T> {
        let (generation, entry) = self.entries.get_mut(conn.slot())?;
        (*generation == conn.generation).then_some(entry)
    }

    pub(crate) fn remove(&mut self, conn: Conn) -> Option<T> {
        self.get(conn)?;
        let (_, entry) = self.entries.remove(conn.slot());
        Some(entry)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, (_, entry))| entry)
    }

    /// All entries with their names.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Conn, &T)> {
        self.entries.iter().map(|(slot, (generation, entry))| (conn(slot, *generation), entry))
    }

    /// The names of all entries.
    pub(crate) fn conns(&self) -> Vec<Conn> {
        self.entries.iter().map(|(slot, (generation, _))| conn(slot, *generation)).collect()
    }
}

fn conn(slot: usize, generation: u32) -> Conn {
    Conn { slot: u32::try_from(slot).expect("connections are counted in 32 bits"), generation }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_found_by_its_own_name_only_though_its_slot_is_reused() {
        let mut slots = Slots::new();
        let (a, b) = (slots.insert('a'), slots.insert('b'));
        assert_eq!(slots.remove(a), Some('a'));
        let c = slots.insert('c');
        assert_eq!(c.slot(), a.slot(), "the test needs the slot reused");
        assert_eq!([a, b, c].map(|conn| slots.get(conn).copied()), [None, Some('b'), Some('c')]);
        assert_eq!(slots.get_mut(a), None);
        assert_eq!(slots.remove(a), None);
        assert_eq!(slots.conns(), [c, b]);
        assert_eq!(slots.iter().collect::<String>(), "cb");
        assert_eq!(slots.len(), 2);
    }
}
