//! [`Story`]: what happens in a run, told to people while it happens. Whatever is told changes nothing.

use std::fmt;
use std::rc::Rc;

use net::Time;

/// When every run begins. Stories count from it.
pub(crate) const START: Time = Time::from_millis(1_800_000_000_000);

/// Tells what happens, or keeps silent.
#[derive(Clone, Default)]
pub struct Story(Option<Listener>);

type Listener = Rc<dyn Fn(&str)>;

impl Story {
    /// Nobody listens.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Each sentence, a line without its end, goes to this listener.
    pub fn told_to(listener: impl Fn(&str) + 'static) -> Self {
        Self(Some(Rc::new(listener)))
    }

    /// Tells what happens at this time.
    pub(crate) fn tell(&self, now: Time, what: fmt::Arguments<'_>) {
        if let Self(Some(listener)) = self {
            let micros = now.since(START).as_micros();
            listener(&format!("{:>9}.{:03} ms  {what}", micros / 1000, micros % 1000));
        }
    }
}
