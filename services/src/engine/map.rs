//! [`Map`]: a hash map that grows without a pause.
//!
//! A `HashMap` that is full moves all of its entries at once: half a second for a million words, in which nobody else is
//! served. This one is made of many, each of which has its share of the keys and moves only these. It offers what its
//! users need of a `HashMap`, and gives no memory back.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash, RandomState};

/// The parts of a map: of a million entries each has 4,000, which it moves in a fraction of a millisecond. An empty part
/// takes 48 bytes.
const PARTS: usize = 256;

/// Values by key. Clients may choose the keys: none of its hashes can be foreseen.
#[derive(Debug)]
pub(crate) struct Map<K, V> {
    /// Chooses a key's part. Each part hashes in its own way, so that the keys in it do not lie together there.
    hasher: RandomState,
    parts: Box<[HashMap<K, V>]>,
    /// The entries of all parts.
    len: usize,
}

impl<K: Eq + Hash, V> Map<K, V> {
    pub(crate) fn new() -> Self {
        Self { hasher: RandomState::new(), parts: (0..PARTS).map(|_| HashMap::new()).collect(), len: 0 }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.parts[self.part(key)].get(key)
    }

    pub(crate) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.parts[self.part(key)].get_mut(key)
    }

    /// Sets the value of a key, and returns the one before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.parts[self.part(&key)].insert(key, value);
        self.len += usize::from(before.is_none());
        before
    }

    /// Removes a key, and returns its value.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let removed = self.parts[self.part(key)].remove(key);
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// The value of a key, which is made if it is missing.
    pub(crate) fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        match self.parts[self.part(&key)].entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                self.len += 1;
                entry.insert(V::default())
            }
        }
    }

    /// All entries, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flatten()
    }

    /// All values, in no order.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.parts.iter_mut().flat_map(HashMap::values_mut)
    }

    fn part<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        self.hasher.hash_one(key) as usize % PARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_a_hash_map_does() {
        let (mut map, mut model) = (Map::new(), HashMap::new());
        let mut rng = fastrand::Rng::with_seed(1);
        for step in 0..20_000 {
            let key = rng.u32(..2000);
            match rng.u32(..4) {
                0 => assert_eq!(map.remove(&key), model.remove(&key)),
                1 => assert_eq!(map.insert(key, step), model.insert(key, step)),
                2 => assert_eq!(map.get_or_default(key), model.entry(key).or_default()),
                _ => assert_eq!(map.get_mut(&key), model.get_mut(&key)),
            }
            assert_eq!(map.get(&key), model.get(&key));
        }
        assert_eq!(map.len(), model.len());
        assert_eq!(map.iter().collect::<HashMap<_, _>>(), model.iter().collect());
        map.values_mut().for_each(|value| *value = 7);
        assert!(map.iter().all(|(_, value)| *value == 7));
    }

    #[test]
    fn no_part_has_much_more_than_its_share() {
        let mut map = Map::new();
        for key in 0..256_000_u32 {
            // As clients may choose them: alike in all bits but some.
            map.insert(key << 8, ());
        }
        assert!(map.parts.iter().all(|part| (500..2000).contains(&part.len())));
    }
}
