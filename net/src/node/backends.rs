//! What happens to backends, and what a node's service is told of it.

use super::Node;
use crate::connections::{Connections, Upstream};
use crate::dialer::Reason;
use crate::event::{Backend, Event, StreamEvent};
use crate::link::{Expected, LostCalls};
use crate::service::Service;
use crate::time::Time;

impl<S: Service> Node<S> {
    pub(super) fn connected(&mut self, backend: Backend) {
        let Backend(link) = backend;
        if let Upstream::Bytes(_) = self.connections.upstreams[link] {
            let address = self.connections.stream_connected(link);
            return self.tell(Event::Stream(backend, StreamEvent::Up { address }));
        }
        match self.connections.link_connected(link, self.service.greeting(backend, 0).as_deref()) {
            Ok(()) => self.report_up(link),
            Err(reason) => self.disconnect(link, &reason),
        }
    }

    pub(super) fn received_of_backend(&mut self, link: usize, bytes: &[u8]) {
        let upstream = &self.connections.upstreams[link];
        if !upstream.is_connected() {
            return;
        }
        match upstream {
            Upstream::Lines(_) => self.answered(link, bytes),
            Upstream::Bytes(_) => self.streamed(link, bytes),
        }
    }

    pub(super) fn disconnect(&mut self, link: usize, reason: &str) {
        if let Some(lost) = self.connections.disconnect(link) {
            self.report_down(Backend(link), reason);
            self.report_lost(lost);
        }
    }

    pub(super) fn expire_link(&mut self, at: Time, link: usize) {
        let (lost, reason) = self.connections.expire_link(at, link);
        if let Some(reason) = reason {
            self.disconnect(link, &reason);
        }
        self.report_lost(lost);
    }

    /// Tells the service of streams that it has ended itself.
    pub(super) fn report_resets(&mut self) {
        while let Some((backend, reason)) = self.connections.resets.pop_front() {
            self.report_down(backend, &reason);
        }
    }

    /// Takes what a backend sent with which bytes are exchanged. It is lent out, so that the service can be given both
    /// it and the node.
    fn streamed(&mut self, link: usize, bytes: &[u8]) {
        let backend = Backend(link);
        let stream = self.connections.upstreams[link].stream_mut();
        let mut received = stream.channel.lend(bytes);
        if stream.becomes_encrypted() {
            self.tell(Event::Stream(backend, StreamEvent::Encrypted));
        }
        // The service may have ended it meanwhile.
        let is_delivering = self.connections.upstreams[link].stream_mut().is_delivering();
        if is_delivering && !received.bytes().is_empty() {
            self.tell(Event::Stream(backend, StreamEvent::Received(received.bytes())));
        }
        received.take_all();
        if let Err(reason) = self.connections.end_delivery_of(link, received) {
            self.disconnect(link, &reason);
        }
    }

    /// Takes what a backend sent with which lines are exchanged. A line that is not what it must be ends the connection:
    /// those that follow it might be anybody's.
    fn answered(&mut self, link: usize, bytes: &[u8]) {
        let Connections { upstreams, limits, now, .. } = &mut self.connections;
        let reply_bytes_max = limits.reply_bytes_max;
        let upstream = upstreams[link].link_mut();
        upstream.heard(*now);
        // As above, they are lent out.
        let mut received = upstream.channel.lend(bytes);
        let mut taken = Ok(());
        while taken.is_ok()
            && !self.has_failed()
            && let Some(line) = received.next_line(reply_bytes_max)
        {
            taken = match line {
                Ok(line) => self.take_reply(link, line),
                Err(_) => Err(format!("a line of it is longer than {reply_bytes_max} bytes").into()),
            };
        }
        let ended = self.connections.end_delivery_of(link, received);
        taken = taken.and(ended);
        if let Err(reason) = taken {
            self.disconnect(link, &reason);
        }
    }

    /// Hands a line of a backend to the service, if it is what it must be.
    fn take_reply(&mut self, link: usize, line: &[u8]) -> Result<(), Reason> {
        let backend = Backend(link);
        match self.connections.upstreams[link].link().expected() {
            Expected::Greeting(number) => {
                self.service.check_greeting(backend, number, line)?;
                self.connections.greeted(link, self.service.greeting(backend, number + 1).as_deref());
                self.report_up(link);
            }
            Expected::Reply(call) => {
                if !self.service.is_reply(call, line) {
                    return Err("a line of it is not the reply to the call that it must answer".into());
                }
                self.connections.answered(link);
                self.tell(Event::Reply(call, Ok(line)));
            }
            Expected::LateReply => self.connections.answered(link),
            Expected::Nothing => return Err("a line of it answers no call".into()),
        }
        Ok(())
    }

    fn report_up(&mut self, link: usize) {
        if self.connections.upstreams[link].link().is_up() {
            self.tell(Event::Up(Backend(link)));
        }
    }

    fn report_down(&mut self, backend: Backend, reason: &str) {
        let Backend(link) = backend;
        self.tell(match self.connections.upstreams[link] {
            Upstream::Lines(_) => Event::Down(backend, reason),
            Upstream::Bytes(_) => Event::Stream(backend, StreamEvent::Down(reason)),
        });
    }

    fn report_lost(&mut self, lost: LostCalls) {
        for (call, why) in lost {
            self.tell(Event::Reply(call, Err(why)));
        }
    }
}
