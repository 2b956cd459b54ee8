//! A connection beside a server that follows a script.

mod flights;
mod hostile;
mod start;

use super::server::{self, admission, settings};
use super::*;
use crate::store::postgres::{Config, Password};

fn config(url: &str) -> Config {
    Config::parse(url, Some(Password::new("hush").unwrap())).unwrap()
}

const URL: &str = "postgres://market@localhost/shop";

fn connect(config: &Config) -> Connection {
    Connection::new(config, &config.hosts[0])
}

/// A connection that is ready, and has nothing to say.
fn ready(parameters: &str) -> Connection {
    let mut connection = connect(&config(&format!("{URL}?{parameters}")));
    connection.received(&admission());
    for value in ["off", "on", "on"] {
        connection.received(&settings(&[value]));
    }
    assert_eq!(events(&mut connection), [Event::Ready]);
    connection.take_output();
    connection
}

fn events(connection: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| connection.next_event()).collect()
}

/// What is said when a flight is submitted or answered.
fn said(connection: &mut Connection) -> Vec<String> {
    server::words(&connection.take_output())
}

const READ: Statement = Statement::kept("read", "SELECT a FROM b WHERE c = $1");
const WRITE: Statement = Statement::kept("write", "UPDATE b SET a = $1");

fn read() -> Flight {
    Flight::single(READ.with([Value::Int(1)]))
}

fn transaction() -> Flight {
    Flight::transaction(vec![READ.with([Value::Int(1)]), WRITE.with([Value::Text("x".to_owned())])])
}
