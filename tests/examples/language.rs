//! [`Shopper`]: the same client in each language, so that one test is about both.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::shop;
use crate::shop::client::{Client, Error};

/// What came of a call.
pub(crate) type Outcome = Result<Value, Error>;

/// A client in some language.
pub(crate) trait Shopper {
    fn log_in(&mut self, username: &str, password: &str) -> Result<(), Error>;
    fn call_all(&mut self, api: &str, all: Vec<Value>) -> Vec<Outcome>;
    fn put_into_cart(&mut self, item: &Value, quantity: u64) -> Result<(), Error>;

    fn call(&mut self, api: &str, data: Value) -> Outcome {
        self.call_all(api, vec![data]).pop().expect("a call has a result")
    }
}

/// A language in which there is a client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Language {
    Rust,
    Python,
}

/// A Python that does what it is told, a line of JSON each.
struct Python {
    child: Child,
    orders: ChildStdin,
    results: BufReader<ChildStdout>,
}

impl Language {
    /// Those that this machine knows.
    pub(crate) fn all() -> Vec<Language> {
        match Command::new("python3").arg("--version").stdout(Stdio::null()).status() {
            Ok(status) if status.success() => vec![Language::Rust, Language::Python],
            _ => {
                eprintln!("skipped: no Python is installed");
                vec![Language::Rust]
            }
        }
    }

    /// A client of the frontend at these addresses. If it `is_alone`, nobody else changes what it changes.
    pub(crate) fn client(self, addresses: &[String], is_alone: bool) -> Box<dyn Shopper> {
        match self {
            Language::Rust => {
                let mut client = Client::new(addresses);
                client.is_alone = is_alone;
                Box::new(client)
            }
            Language::Python => Box::new(Python::start(addresses, is_alone)),
        }
    }
}

/// The interpreter, which finds the client and leaves nothing beside it.
pub(crate) fn python(program: &Path) -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").arg(program).env("PYTHONPATH", root().join("services/examples/shop"));
    command
}

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

impl Shopper for Client {
    fn log_in(&mut self, username: &str, password: &str) -> Result<(), Error> {
        Client::log_in(self, username, password)
    }

    fn call_all(&mut self, api: &str, all: Vec<Value>) -> Vec<Outcome> {
        Client::call_all(self, api, all)
    }

    fn put_into_cart(&mut self, item: &Value, quantity: u64) -> Result<(), Error> {
        shop::put_into_cart(self, item, quantity)
    }
}

impl Python {
    fn start(addresses: &[String], is_alone: bool) -> Python {
        let mut command = python(&root().join("tests/examples/driver.py"));
        command.arg(addresses.join(",")).args(is_alone.then_some("alone"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (orders, results) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Python { child, orders, results: BufReader::new(results) }
    }

    fn ask(&mut self, method: &str, arguments: Value) -> Vec<Outcome> {
        writeln!(self.orders, "{}", json!([method, arguments])).unwrap();
        let mut line = String::new();
        self.results.read_line(&mut line).unwrap();
        let results: Vec<Value> = serde_json::from_str(&line).expect("it answers with a list");
        results.into_iter().map(outcome).collect()
    }

    fn ask_once(&mut self, method: &str, arguments: Value) -> Result<(), Error> {
        self.ask(method, arguments).pop().expect("there is a result").map(|_| ())
    }
}

impl Shopper for Python {
    fn log_in(&mut self, username: &str, password: &str) -> Result<(), Error> {
        self.ask_once("log_in", json!([username, password]))
    }

    fn call_all(&mut self, api: &str, all: Vec<Value>) -> Vec<Outcome> {
        self.ask("call_all", json!([api, all]))
    }

    fn put_into_cart(&mut self, item: &Value, quantity: u64) -> Result<(), Error> {
        self.ask_once("put_into_cart", json!([item, quantity]))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It fails only where the child has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An outcome as the driver writes it.
fn outcome(mut result: Value) -> Outcome {
    let text = |field: &str| result[field].as_str().expect("an error has it").to_owned();
    match result["error"].as_str() {
        None => Ok(result["data"].take()),
        Some("Refused") => Err(Error::Refused { code: text("code"), message: text("message") }),
        Some("Unavailable") => Err(Error::Unavailable(text("message"))),
        Some("OutcomeUnknown") => Err(Error::OutcomeUnknown(text("message"))),
        Some("CartReplaced") => Err(Error::CartReplaced),
        Some(other) => panic!("there is no error {other}"),
    }
}
