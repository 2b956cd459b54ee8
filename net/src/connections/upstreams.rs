//! The connections to backends, of either kind, and what follows a change of one.

use super::{Connections, Upstream};
use crate::channel::Received;
use crate::dialer::{Action, Reason};
use crate::event::Backend;
use crate::io::{Output, Peer};
use crate::link::LostCalls;
use crate::target::Target;
use crate::time::Time;
use crate::tls::BadStream;

/// Upstreams, by their numbers.
impl Connections {
    /// Takes note of where backends are, to which nobody has connected yet.
    pub(crate) fn set_targets(&mut self, targets: Vec<Target>) {
        self.upstreams = targets.into_iter().map(|target| Upstream::new(target, &self.limits)).collect();
        (0..self.upstreams.len()).for_each(|link| self.arm_link(link));
    }

    /// Ends the delivery of what a backend has sent.
    ///
    /// # Errors
    /// Why the connection is of no further use, if it is encrypted.
    pub(crate) fn end_delivery_of(&mut self, link: usize, received: Received<'_>) -> Result<(), Reason> {
        let channel = self.upstreams[link].channel_mut();
        channel.give_back(received);
        let bad = channel.take_bad_stream();
        let has_finished = channel.has_peer_finished();
        let is_to_write = channel.begin_transmit();
        self.settle_link(link, is_to_write);
        match bad {
            Some(BadStream::NotTls) => Err("it does not speak TLS".into()),
            Some(BadStream::Failed(cause)) => Err(format!("TLS: {cause}").into()),
            None if has_finished => Err("it closed the connection".into()),
            None => Ok(()),
        }
    }

    /// The connection is gone, or could not be made. Returns the calls that are lost with it. `None`: there was none.
    pub(crate) fn disconnect(&mut self, link: usize) -> Option<LostCalls> {
        let Self { upstreams, now, limits, outputs, .. } = self;
        if upstreams[link].is_down() {
            return None;
        }
        let mut lost = LostCalls::new();
        let has_last_words = match &mut upstreams[link] {
            Upstream::Lines(link) => link.disconnected(*now, limits, &mut lost),
            Upstream::Bytes(stream) => stream.disconnected(*now, limits),
        };
        if has_last_words {
            outputs.push_back(Output::Transmit(Peer::Link(link)));
        }
        outputs.push_back(Output::Close(Peer::Link(link)));
        self.count_link_buffers(link);
        self.arm_link(link);
        Some(lost)
    }

    /// Acts on the deadline that was armed for `at`. Returns the calls that are given up, and why the connection is to
    /// be closed, if it is.
    pub(crate) fn expire_link(&mut self, at: Time, link: usize) -> (LostCalls, Option<Reason>) {
        let Self { upstreams, now, limits, outputs, .. } = self;
        let mut lost = LostCalls::new();
        if !upstreams[link].channel_mut().ring(at) {
            return (lost, None);
        }
        let action = match &mut upstreams[link] {
            Upstream::Lines(link) => link.expire(*now, limits, &mut lost),
            Upstream::Bytes(stream) => stream.expire(*now, limits),
        };
        let reason = match action {
            Some(Action::Close(reason)) => Some(reason),
            Some(Action::Connect) => {
                outputs.push_back(Output::Connect(Backend(link)));
                None
            }
            None => None,
        };
        // Whoever closes the connection arms the next deadline.
        if reason.is_none() {
            self.arm_link(link);
        }
        (lost, reason)
    }

    pub(super) fn settle_link(&mut self, link: usize, is_to_write: bool) {
        if is_to_write {
            self.outputs.push_back(Output::Transmit(Peer::Link(link)));
        }
        self.count_link_buffers(link);
        self.arm_link(link);
    }

    pub(super) fn arm_link(&mut self, link: usize) {
        let Self { upstreams, limits, timers, .. } = self;
        if let Some(deadline) = upstreams[link].deadline(limits) {
            upstreams[link].channel_mut().arm(timers, deadline, Peer::Link(link));
        }
    }
}
