//! [`Upstream`]: the connection to one backend, of either kind.

use crate::channel::Channel;
use crate::limits::Limits;
use crate::link::Link;
use crate::stream::Stream;
use crate::target::Target;
use crate::time::Time;

#[derive(Debug)]
pub(crate) enum Upstream {
    Lines(Link),
    Bytes(Stream),
}

impl Upstream {
    pub(crate) fn new(target: Target, limits: &Limits) -> Self {
        match target {
            Target::Lines(address) => Self::Lines(Link::new(address, limits)),
            Target::Bytes(addresses) => Self::Bytes(Stream::new(addresses, limits)),
        }
    }

    /// # Panics
    /// Bytes are exchanged with the backend.
    pub(crate) fn link(&self) -> &Link {
        match self {
            Self::Lines(link) => link,
            Self::Bytes(_) => panic!("a backend with which bytes are exchanged has no calls"),
        }
    }

    /// # Panics
    /// As of [`Upstream::link`].
    pub(crate) fn link_mut(&mut self) -> &mut Link {
        match self {
            Self::Lines(link) => link,
            Self::Bytes(_) => panic!("a backend with which bytes are exchanged is not called"),
        }
    }

    /// # Panics
    /// Lines are exchanged with the backend.
    pub(crate) fn stream_mut(&mut self) -> &mut Stream {
        match self {
            Self::Bytes(stream) => stream,
            Self::Lines(_) => panic!("a backend with which lines are exchanged is no stream of bytes"),
        }
    }

    pub(crate) fn channel(&self) -> &Channel {
        match self {
            Self::Lines(link) => &link.channel,
            Self::Bytes(stream) => &stream.channel,
        }
    }

    pub(crate) fn channel_mut(&mut self) -> &mut Channel {
        match self {
            Self::Lines(link) => &mut link.channel,
            Self::Bytes(stream) => &mut stream.channel,
        }
    }

    /// Whether the connection stands.
    pub(crate) fn is_connected(&self) -> bool {
        match self {
            Self::Lines(link) => link.is_connected(),
            Self::Bytes(stream) => stream.is_connected(),
        }
    }

    /// Whether there is neither a connection nor one that is being made.
    pub(crate) fn is_down(&self) -> bool {
        match self {
            Self::Lines(link) => link.is_down(),
            Self::Bytes(stream) => stream.is_down(),
        }
    }

    /// The place of the address that the connection is to, or will be to.
    pub(crate) fn address(&self) -> usize {
        match self {
            Self::Lines(_) => 0,
            Self::Bytes(stream) => stream.address(),
        }
    }

    /// When it is to be looked at next.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Time> {
        match self {
            Self::Lines(link) => link.deadline(limits),
            Self::Bytes(stream) => stream.deadline(),
        }
    }
}
