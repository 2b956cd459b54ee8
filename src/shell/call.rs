//! Calls that a person can give up with Ctrl-C.

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use net::{ClientTls, spawn_thread};

use super::terminal::Terminal;
use crate::client::{CallError, Client};

/// A client, and how to make another.
pub(crate) struct Caller {
    client: Client,
    reply_timeout: Duration,
}

impl Caller {
    /// Calls `server`, written `HOST:PORT`, over connections that are encrypted so, if at all. Nothing is connected yet.
    pub(crate) fn new(server: &str, tls: Option<ClientTls>, reply_timeout: Duration) -> Caller {
        Caller { client: Client::new(server, tls, reply_timeout), reply_timeout }
    }

    /// Another client of the same service.
    pub(crate) fn another_client(&self) -> Client {
        Client::new(self.client.server(), self.client.tls(), self.reply_timeout)
    }

    /// The client, for a call that nobody gives up.
    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Carries out `calls` and waits for their end, or until Ctrl-C at the `terminal`.
    ///
    /// What was given up may still be carried out by the service, but is not sent again. Its connection is left to
    /// it, because its reply belongs to no later call.
    ///
    /// # Errors
    /// Those of `calls`, and `GivenUp`.
    pub(crate) fn call<T: Send + 'static>(
        &mut self,
        terminal: Option<&Terminal>,
        calls: impl FnOnce(&mut Client) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        let Some(terminal) = terminal else {
            return calls(&mut self.client);
        };
        let next = self.another_client();
        let mut client = std::mem::replace(&mut self.client, next);
        let given_up = client.given_up();
        let (sender, receiver) = mpsc::channel();
        let interrupter = sender.clone();
        terminal.on_interrupt(Some(Box::new(move || drop(interrupter.send(None)))));
        let thread = spawn_thread("call", move || {
            let result = calls(&mut client);
            // Nobody waits for it any more once it was given up.
            let _ = sender.send(Some((client, result)));
        });
        let ended = match thread {
            Ok(_) => receiver.recv().ok().flatten().ok_or(CallError::GivenUp),
            Err(error) => Err(CallError::CannotConnect(error.to_string())),
        };
        terminal.on_interrupt(None);
        match ended {
            Ok((client, result)) => {
                self.client = client;
                result
            }
            Err(error) => {
                given_up.store(true, Ordering::Relaxed);
                Err(error)
            }
        }
    }
}
