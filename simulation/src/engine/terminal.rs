//! [`Terminal`]: a connection that carries out one statement after another at once, beside the network: to make tables,
//! and to look at what is in them.

use fake_postgres::{Engine, Output, Session};
use services::postgres::{Config, Connection, Event, Flight, Migration, Outcome, Row, Statement};

pub(super) struct Terminal<'a> {
    engine: &'a mut Engine,
    session: Session,
    connection: Connection,
}

impl<'a> Terminal<'a> {
    /// Connects to an engine that does nothing else, and fails at nothing.
    pub(super) fn open(engine: &'a mut Engine, config: &Config) -> Self {
        let session = engine.open();
        let connection = Connection::new(config, &config.hosts[0]);
        let mut terminal = Self { engine, session, connection };
        assert_eq!(terminal.next_event(), Event::Ready);
        terminal
    }

    /// Makes the tables.
    pub(super) fn migrate(&mut self) {
        let mut migration = Migration::new();
        while let Some(flight) = migration.flight() {
            let outcome = self.run(flight);
            migration.answered(outcome).expect("the tables are made");
        }
    }

    /// The rows that a statement returns.
    pub(super) fn read(&mut self, sql: &'static str) -> Vec<Row> {
        match self.run(Flight::single(Statement::once(sql).with([]))) {
            Outcome::Done(mut replies) => replies.remove(0).rows,
            other => panic!("{sql}: {other:?}"),
        }
    }

    fn run(&mut self, flight: Flight) -> Outcome {
        let ticket = self.connection.submit(flight);
        match self.next_event() {
            Event::Ended(ended, outcome) if ended == ticket => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn next_event(&mut self) -> Event {
        loop {
            if let Some(event) = self.connection.next_event() {
                return event;
            }
            let asked = self.connection.take_output();
            assert!(!asked.is_empty(), "it is asked for something that never comes");
            self.engine.received(self.session, &asked);
            while let Some((session, output)) = self.engine.next_output() {
                match output {
                    Output::Bytes(bytes) if session == self.session => self.connection.received(&bytes),
                    Output::Commit(commit) => self.engine.committed(commit),
                    other => panic!("the engine does nothing else than {other:?} of {session:?}"),
                }
            }
        }
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.engine.close(self.session);
    }
}
