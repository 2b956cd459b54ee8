//! Logging in and out, and the session kept in between.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use support::{Act, FakeService, assert_code, stderr, stdout};

use super::User;

const LOGGED_IN: Act = Act::Reply(r#"{"session_id":"secret-1","user_id":7,"role":"buyer"}"#);

fn session_files(user: &User) -> Vec<PathBuf> {
    match fs::read_dir(user.home.path().join(".local/state/marketplace")) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => Vec::new(),
    }
}

#[test]
fn a_login_is_kept_until_the_logout() {
    let server =
        FakeService::start(&[LOGGED_IN, Act::Reply("{\"cart\":{}}"), Act::Reply("{\"logged_out\":true}")]);
    let user = User::new();
    let output = user.buyer(&server, "login ann --password 'p w'");
    assert_code(&output, 0);
    assert_eq!(stdout(&output), "buyer\t7\n", "the session ID is nobody's to see");
    let [file] = session_files(&user).try_into().unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);

    assert_code(&user.buyer(&server, "cart"), 0);
    assert_code(&user.buyer(&server, "logout"), 0);
    assert!(session_files(&user).is_empty());
    let requests = server.requests();
    assert_eq!(requests[0]["data"], serde_json::json!({"username": "ann", "password": "p w"}));
    assert_eq!(requests[1]["data"]["session_id"], "secret-1");
    assert_eq!(requests[2]["data"]["session_id"], "secret-1");
}

#[test]
fn a_password_is_read_from_standard_input() {
    let server = FakeService::start(&[LOGGED_IN, Act::Reply("{\"cart\":{}}")]);
    let user = User::new();
    assert_code(&user.script(&server, &["login", "ann"], "p w\n"), 0);
    assert_eq!(server.requests()[0]["data"]["password"], "p w");
    let output = user.script(&server, &["login", "ann"], "");
    assert_code(&output, 2);
    assert!(stderr(&output).contains("no password"), "{}", stderr(&output));
}

#[test]
fn a_script_may_hold_its_passwords() {
    let server = FakeService::start(&[
        Act::Reply("{\"buyer_id\":7}"),
        LOGGED_IN,
        Act::Reply("{\"cart\":{\"1:42\":2}}"),
    ]);
    let output = User::new().script(&server, &[], "create-account ann\npw\nlogin ann\npw\ncart\n");
    assert_code(&output, 0);
    assert_eq!(stdout(&output), "7\nbuyer\t7\n1:42\t2\n");
    assert_eq!(server.apis(), ["CreateAccount", "Login", "DisplayCart"]);
    assert_eq!(server.requests()[0]["data"], serde_json::json!({"name": "ann", "password": "pw"}));
}

#[test]
fn a_session_that_ended_is_dropped() {
    for code in ["SESSION_TIMEOUT", "NOT_LOGGED_IN"] {
        let server = FakeService::start(&[LOGGED_IN, Act::Error(code), Act::Error("NOT_LOGGED_IN")]);
        let user = User::new();
        assert_code(&user.buyer(&server, "login ann --password p"), 0);
        let output = user.buyer(&server, "cart");
        assert_code(&output, 1);
        assert!(stderr(&output).starts_with(&format!("error: {code}: ")), "{}", stderr(&output));
        assert!(stderr(&output).ends_with("\nLog in first: login USER\n"), "{}", stderr(&output));
        assert!(session_files(&user).is_empty());
        assert_code(&user.buyer(&server, "cart"), 1);
        assert!(server.requests()[2]["data"].get("session_id").is_none());
    }
}

#[test]
fn browsing_goes_on_without_a_session_that_ended() {
    let server = FakeService::start(&[
        LOGGED_IN,
        Act::Error("SESSION_TIMEOUT"),
        Act::Reply(r#"{"items":[],"total":0}"#),
    ]);
    let user = User::new();
    assert_code(&user.buyer(&server, "login ann --password p"), 0);
    let output = user.buyer(&server, "search book");
    assert_code(&output, 0);
    assert_eq!(stderr(&output), "Your session has ended; going on without one.\n");
    assert_eq!(server.requests()[2]["data"], serde_json::json!({"keywords": ["book"]}));
}

#[test]
fn browsing_with_a_given_session_fails_with_it() {
    let server = FakeService::start(&[Act::Error("NOT_LOGGED_IN")]);
    assert_code(&User::new().buyer(&server, "--session bad search book"), 1);
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn a_session_can_be_given() {
    let server = FakeService::start(&[LOGGED_IN, Act::Reply("{\"cart\":{}}"), Act::Error("NOT_LOGGED_IN")]);
    let user = User::new();
    assert_code(&user.buyer(&server, "login ann --password p"), 0);
    let address = server.address.to_string();
    let mut command = user.command(&["buyer", "--server", &address, "cart"]);
    assert_code(&command.env("MARKETPLACE_SESSION", "from-env").output().unwrap(), 0);
    let mut command = user.command(&["buyer", "--server", &address, "--session", "from-flag", "cart"]);
    assert_code(&command.env("MARKETPLACE_SESSION", "from-env").output().unwrap(), 1);
    let requests = server.requests();
    assert_eq!(requests[1]["data"]["session_id"], "from-env");
    assert_eq!(requests[2]["data"]["session_id"], "from-flag");
    assert_eq!(session_files(&user).len(), 1, "the login kept is another session");
}

#[test]
fn sellers_and_buyers_log_in_apart() {
    let seller = Act::Reply(r#"{"session_id":"secret-2","user_id":1,"role":"seller"}"#);
    let server = FakeService::start(&[LOGGED_IN, seller, Act::Reply("{\"cart\":{}}")]);
    let user = User::new();
    assert_code(&user.buyer(&server, "login ann --password p"), 0);
    assert_code(&user.seller(&server, "login ann --password p"), 0);
    assert_code(&user.buyer(&server, "cart"), 0);
    assert_eq!(server.requests()[2]["data"]["session_id"], "secret-1");
}

/// The environment names a folder that cannot be made.
const NOWHERE: &str = "/dev/null/state";

#[test]
fn a_login_that_cannot_be_kept_is_not_made() {
    let server = FakeService::start(&[LOGGED_IN]);
    let address = server.address.to_string();
    let user = User::new();
    let login = ["buyer", "--server", &address, "login", "ann", "--password", "p"];
    let output = user.command(&login).env("XDG_STATE_HOME", NOWHERE).output().unwrap();
    assert_code(&output, 1);
    let message = stderr(&output);
    assert!(
        message.starts_with("error: the login cannot be kept in /dev/null/state/marketplace: "),
        "{message}"
    );
    assert!(message.contains("Set XDG_STATE_HOME"), "{message}");
    let output = user.command(&login).env_remove("HOME").output().unwrap();
    assert_code(&output, 1);
    assert!(stderr(&output).contains("neither HOME nor XDG_STATE_HOME"), "{}", stderr(&output));
    assert!(server.lines().is_empty());
}

#[test]
fn a_login_without_a_session_fails() {
    let server = FakeService::start(&[Act::Reply(r#"{"user_id":7,"role":"buyer"}"#)]);
    let output = User::new().buyer(&server, "login ann --password p");
    assert_code(&output, 1);
    assert_eq!(stderr(&output), "error: the service sent no session ID\n");
}

#[test]
fn a_login_that_is_printed_need_not_be_kept() {
    let server = FakeService::start(&[LOGGED_IN]);
    let address = server.address.to_string();
    let mut command =
        User::new().command(&["buyer", "--json", "--server", &address, "login", "ann", "--password", "p"]);
    let output = command.env("XDG_STATE_HOME", NOWHERE).output().unwrap();
    assert_code(&output, 0);
    assert!(stdout(&output).contains("secret-1"));
    assert!(stderr(&output).starts_with("Later commands will not know of this login"), "{}", stderr(&output));
}

#[test]
fn a_login_that_could_not_be_kept_after_all_is_ended() {
    let server = FakeService::start(&[LOGGED_IN, Act::Reply("{\"logged_out\":true}")]);
    let user = User::new();
    let state = user.home.path().join(".local/state/marketplace");
    fs::create_dir_all(state.join(format!("session-buyer-{}", server.address))).unwrap();
    let output = user.buyer(&server, "login ann --password p");
    assert_code(&output, 1);
    assert!(!(stdout(&output).to_owned() + stderr(&output)).contains("secret-1"));
    assert_eq!(server.apis(), ["Login", "Logout"]);
    assert_eq!(server.requests()[1]["data"]["session_id"], "secret-1");
    assert_eq!(fs::read_dir(state).unwrap().count(), 1, "a temporary file was left");
}

#[test]
fn a_login_serves_the_rest_of_its_script() {
    let server = FakeService::start(&[LOGGED_IN, Act::Reply("{\"cart\":{}}")]);
    let user = User::new();
    fs::write(user.home.path().join(".local"), "no folder").unwrap();
    let output = user.script(&server, &[], "login ann\np\ncart\n");
    assert_code(&output, 0);
    assert!(stderr(&output).starts_with("Later commands will not know of this login"), "{}", stderr(&output));
    assert_eq!(server.requests()[1]["data"]["session_id"], "secret-1");
}

#[test]
fn a_login_that_the_environment_hides_says_so() {
    let server = FakeService::start(&[LOGGED_IN]);
    let address = server.address.to_string();
    let mut command =
        User::new().command(&["buyer", "--server", &address, "login", "ann", "--password", "p"]);
    let output = command.env("MARKETPLACE_SESSION", "older").output().unwrap();
    assert_code(&output, 0);
    assert!(stderr(&output).contains("MARKETPLACE_SESSION"), "{}", stderr(&output));
}
