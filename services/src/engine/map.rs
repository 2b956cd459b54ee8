//! [`Map`]: a hash map that grows without a pause.
//!
//! A hash map that is full moves all of its entries at once: half a second for a million words, in which nobody else is
//! served. This one is made of many, each of which has its share of the keys and moves only these. It offers what its
//! users need, and gives no memory back.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// The parts of a map: of a million entries each has 4,000, which it moves in a fraction of a millisecond. An empty part
/// takes 32 bytes.
const PARTS: usize = 256;

/// Values by key. Clients may choose the keys: none of its hashes can be foreseen.
#[derive(Debug)]
pub(crate) struct Map<K, V> {
    hasher: RandomState,
    parts: Box<[HashTable<(K, V)>]>,
}

impl<K: Eq + Hash, V> Map<K, V> {
    pub(crate) fn new() -> Self {
        Self { hasher: RandomState::new(), parts: (0..PARTS).map(|_| HashTable::new()).collect() }
    }

    /// How many entries there are. It costs a step for each part.
    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(HashTable::len).sum()
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.find(self.hasher.hash_one(key), key)
    }

    /// The values of these keys, in this order. All are hashed before the first is looked for: with so little to do for
    /// each, the processor looks for several at once while memory is slow.
    pub(crate) fn get_all(&self, keys: &[K]) -> Vec<Option<&V>> {
        let hashes: Vec<_> = keys.iter().map(|key| self.hasher.hash_one(key)).collect();
        keys.iter().zip(hashes).map(|(key, hash)| self.find(hash, key)).collect()
    }

    pub(crate) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        let entry = self.parts[part(hash)].find_mut(hash, |(other, _)| other.borrow() == key);
        entry.map(|(_, value)| value)
    }

    /// Sets the value of a key, and returns the one before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.entry(&key) {
            Entry::Occupied(mut entry) => Some(std::mem::replace(&mut entry.get_mut().1, value)),
            Entry::Vacant(entry) => {
                entry.insert((key, value));
                None
            }
        }
    }

    /// Removes a key, and returns its value.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        match self.entry(key) {
            Entry::Occupied(entry) => Some(entry.remove().0.1),
            Entry::Vacant(_) => None,
        }
    }

    /// The value of a key, which is made if it is missing.
    pub(crate) fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        &mut self.entry(&key).or_insert_with(|| (key, V::default())).into_mut().1
    }

    /// All entries, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flatten().map(|(key, value)| (key, value))
    }

    /// All values, in no order.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.parts.iter_mut().flatten().map(|(_, value)| value)
    }

    fn find<Q: Eq + ?Sized>(&self, hash: u64, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let entry = self.parts[part(hash)].find(hash, |(other, _)| other.borrow() == key);
        entry.map(|(_, value)| value)
    }

    fn entry(&mut self, key: &K) -> Entry<'_, (K, V)> {
        let Self { hasher, parts } = self;
        let hash = hasher.hash_one(key);
        parts[part(hash)].entry(hash, |(other, _)| other == key, |(other, _)| hasher.hash_one(other))
    }
}

/// The part of a key with this hash, by bits by which no part orders its own.
fn part(hash: u64) -> usize {
    (hash >> 32) as usize % PARTS
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

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
        let keys: Vec<_> = (0..2000).collect();
        assert!(map.get_all(&keys).into_iter().eq(keys.iter().map(|key| model.get(key))));
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
