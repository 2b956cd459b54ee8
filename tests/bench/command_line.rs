//! Mistakes in the command line, and comparing.

use std::fs;

use support::{assert_code, stderr, stdout};

use super::Folder;

#[test]
fn a_mistake_in_the_command_line_ends_with_2() {
    let folder = Folder::new();
    for words in [
        "--mix tea",
        "--mix getitem",
        "--scenario 1",
        "--scenario 1+1,",
        "--clients 0+0",
        "--clients 1+10001",
        "--clients 1+1 --scenario 1+1",
        "--mix GetItem --clients 1+0",
        "--mix GetItem --clients 0+1",
        "--mix purchase --clients 0+1",
        "--mix purchase --items 0",
        "--mix purchase --items 100001",
        "--items 5",
        "--floor --rate 100",
        "--floor-flush --rate 100",
        "--floor-flush --unsafe-no-flush",
        "--runs 0",
        "--calls 0",
        "--calls -1",
        "--duration 0",
        "--duration -1",
        "--duration 0.09",
        "--duration 86401",
        "--duration NaN",
        "--duration inf",
        "--duration 5s",
        "--duration ''",
        "--duration 1 --calls 10",
        "--warmup many",
        "--rate 0",
        "--rate NaN",
        "--seed 1.5",
        "--buyer 127.0.0.1:1",
        "--seller 127.0.0.1:1",
        "--buyer nowhere --seller 127.0.0.1:1",
        "--buyer 127.0.0.1:1 --seller 127.0.0.1:1 --reactors 2",
        "--buyer 127.0.0.1:1 --seller 127.0.0.1:1 --unsafe-no-flush",
        "--buyer 127.0.0.1:1 --seller 127.0.0.1:1 --data .",
        "--buyer 127.0.0.1:1 --seller 127.0.0.1:1 --against marketplace",
        "--json - --csv -",
        "--json - --csv /dev/stdout",
        "--svg -",
        "--html -",
        "growth --html page.html",
        "--report -",
        "--bogus",
        "measure",
        "growth --items 10,x",
        "growth --items ''",
        "growth --idle -1",
        "growth --items 0",
        "growth --idle 20000",
        "growth --csv out.csv",
        "growth more",
        "compare",
        "compare a.json",
        "compare a.json b.json c.json",
    ] {
        let output = folder.run(words);
        assert_code(&output, 2);
        assert!(stderr(&output).starts_with("error: "), "{words}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{words}");
    }
}

#[test]
fn each_subcommand_explains_itself() {
    for words in ["-h", "growth -h", "compare -h"] {
        let output = Folder::new().run(words);
        assert_code(&output, 0);
        assert!(stdout(&output).starts_with("Usage: marketplace bench"), "{words}: {}", stdout(&output));
    }
}

#[test]
fn results_are_compared_and_what_is_none_is_refused() {
    let folder = Folder::new();
    let words = "--mix Ping --runs 2 --calls 10 --warmup 0";
    for (file, more) in [("a.json", "--clients 2+1"), ("b.json", "--scenario 2+1,1+1 --seed 2")] {
        assert_code(&folder.run(&format!("{words} {more} --json {file}")), 0);
    }
    let output = folder.run("compare a.json b.json");
    assert_code(&output, 0);
    assert!(stdout(&output).contains("2+1") && stdout(&output).contains("seed"), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("2+1, calls/s: no difference can be told from so few runs\n"),
        "{}",
        stdout(&output)
    );

    let a = fs::read_to_string(folder.path("a.json")).unwrap();
    fs::write(folder.path("other.json"), a.replace("\"2+1\"", r#""\u001b[31m""#)).unwrap();
    let output = folder.run("compare a.json other.json");
    assert_code(&output, 1);
    assert!(stderr(&output).contains("nothing was compared"), "{}", stderr(&output));
    assert!(
        !stdout(&output).contains('\u{1b}') && stdout(&output).contains("\\u{1b}[31m"),
        "{}",
        stdout(&output)
    );

    fs::write(folder.path("none.json"), "{\"host\":{}}").unwrap();
    fs::write(folder.path("empty.json"), "").unwrap();
    fs::write(folder.path("binary.json"), b"\xff").unwrap();
    for file in ["none.json", "empty.json", "binary.json", "gone.json", "."] {
        let (a, b) = if file == "gone.json" { (file, "a.json") } else { ("a.json", file) };
        let output = folder.run(&format!("compare {a} {b}"));
        assert_code(&output, 1);
        assert!(stderr(&output).contains(file), "{}", stderr(&output));
    }
}
