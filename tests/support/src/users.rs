//! Accounts and sessions.

use serde_json::json;

use crate::client::Client;

/// The password of all accounts.
pub const PASSWORD: &str = "correct horse";

/// Opens an account and a session, whose ID is returned.
#[track_caller]
pub fn log_in(client: &mut Client, name: &str) -> String {
    client.ok("CreateAccount", json!({"name": name, "password": PASSWORD}));
    let login = client.ok("Login", json!({"name": name, "password": PASSWORD}));
    login["session_id"].as_str().expect("a login has it").to_owned()
}
