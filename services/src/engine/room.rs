//! [`Room`]: whether a database may keep more than it does.
//!
//! What clients have made it keep is in memory, and memory has an end. How much each row takes there is not reckoned: the
//! whole process is measured, tables that are half empty, the buffers of connections and the store's cache included.
//! Nothing is deleted to make room. It does not know what rows are, nor how memory is measured.

use std::time::Duration;

use net::Time;

use super::metrics::LineLimit;
use crate::api::error::{Code, Error};

/// How long a look at the memory holds. What a client can send in that time is a fraction of what is left above any limit
/// that makes sense.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// The part of the limit that is there beyond it, for what grows.
const RESERVE_PART: u64 = 6;
/// How often it is logged that there is no room.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// The memory that a database may fill.
pub struct Room {
    memory_max_mib: u64,
    /// The memory that the process has, in bytes.
    resident_bytes: Box<dyn FnMut() -> u64>,
    /// When the memory is to be looked at again, if somebody asks.
    look_at: Time,
    /// As of the last look.
    resident_mib: u64,
    warnings: LineLimit,
}

impl Room {
    /// Room while the process has less memory than so many MiB. `resident_bytes` tells how much it has, and is asked at
    /// most each 10 ms.
    pub fn new(memory_max_mib: u64, resident_bytes: impl FnMut() -> u64 + 'static) -> Self {
        Self {
            memory_max_mib,
            resident_bytes: Box::new(resident_bytes),
            look_at: Time::default(),
            resident_mib: 0,
            warnings: LineLimit::new(WARNING_INTERVAL, 1),
        }
    }

    /// Asked before anything is made that was not there.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`: there is no room.
    pub(crate) fn check_new(&mut self, now: Time) -> Result<(), Error> {
        self.check(now, self.memory_max_mib)
    }

    /// Asked before what is there becomes much larger. It may do so a little longer: the reserve is a sixth of the limit.
    /// What hardly becomes larger, or ends, does not ask: it must always be possible.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`: there is no room.
    pub(crate) fn check_growth(&mut self, now: Time) -> Result<(), Error> {
        self.check(now, self.memory_max_mib.saturating_add(self.memory_max_mib / RESERVE_PART))
    }

    fn check(&mut self, now: Time, max_mib: u64) -> Result<(), Error> {
        if now >= self.look_at {
            self.look_at = now + LOOK_INTERVAL;
            self.resident_mib = (self.resident_bytes)() >> 20;
        }
        let Self { memory_max_mib, resident_mib, .. } = *self;
        if resident_mib < max_mib {
            return Ok(());
        }
        if self.warnings.next(now) {
            log::warn!("event=memory_full memory_max_mib={memory_max_mib} resident_mib={resident_mib}");
        }
        let message = format!(
            "this database holds as much as its memory limit of {memory_max_mib} MiB allows (--memory-max-mib)"
        );
        Err(Error::new(Code::ResourceExhausted, message))
    }
}

/// Room without end.
impl Default for Room {
    fn default() -> Self {
        Self::new(u64::MAX, || 0)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    const MAX_MIB: u64 = 100;
    const START: Time = Time::from_millis(1_000_000);

    /// A room, the memory that the process has, and how often that was asked.
    fn room() -> (Room, Rc<Cell<u64>>, Rc<Cell<u32>>) {
        let (bytes, looks) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (told, counted) = (Rc::clone(&bytes), Rc::clone(&looks));
        let resident_bytes = move || {
            counted.set(counted.get() + 1);
            told.get()
        };
        (Room::new(MAX_MIB, resident_bytes), bytes, looks)
    }

    #[test]
    fn it_is_full_at_its_limit_and_has_room_again_below() {
        let (mut room, bytes, _) = room();
        bytes.set((MAX_MIB << 20) - 1);
        assert_eq!(room.check_new(START), Ok(()));
        bytes.set(MAX_MIB << 20);
        let error = room.check_new(START + LOOK_INTERVAL).expect_err("it is full");
        assert_eq!(error.code, Code::ResourceExhausted);
        assert!(error.message.contains("100 MiB") && error.message.contains("--memory-max-mib"), "{error:?}");
        bytes.set((MAX_MIB << 20) - 1);
        assert_eq!(room.check_new(START + LOOK_INTERVAL * 2), Ok(()));
    }

    #[test]
    fn the_memory_is_looked_at_no_more_often_than_it_must_be() {
        let (mut room, bytes, looks) = room();
        for ms in 0..25 {
            assert_eq!(room.check_new(START + Duration::from_millis(ms)), Ok(()));
        }
        assert_eq!(looks.get(), 3);
        bytes.set(u64::MAX);
        assert_eq!(room.check_new(START + Duration::from_millis(29)), Ok(()), "the last look holds");
        for ms in 30..40 {
            assert!(room.check_new(START + Duration::from_millis(ms)).is_err());
        }
        assert_eq!(looks.get(), 4);
    }

    #[test]
    fn what_is_there_may_grow_into_a_reserve_and_no_further() {
        let (mut room, bytes, _) = room();
        bytes.set(MAX_MIB << 20);
        assert!(room.check_new(START).is_err());
        assert_eq!(room.check_growth(START), Ok(()));
        bytes.set((MAX_MIB + MAX_MIB / 6) << 20);
        assert!(room.check_growth(START + LOOK_INTERVAL).is_err());
    }

    #[test]
    fn there_may_be_room_without_end() {
        assert_eq!(Room::default().check_new(START), Ok(()));
        assert_eq!(Room::default().check_growth(START), Ok(()));
    }
}
