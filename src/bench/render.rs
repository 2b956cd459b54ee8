//! How each kind of results is shown.

use bench::results::Results;
use bench::{Growth, show};
use serde::Serialize;

use super::outputs::Render;

impl Render for Results {
    fn is_empty(&self) -> bool {
        self.scenarios.is_empty()
    }

    fn incomplete(&self) -> Option<&str> {
        self.incomplete.as_deref()
    }

    fn table(&self, columns: Option<u16>) -> String {
        show::table(self, columns.map(usize::from))
    }

    fn json(&self) -> String {
        json(self)
    }

    fn csv(&self) -> String {
        show::csv(self)
    }

    fn html(&self) -> String {
        show::html(self)
    }

    fn pictures(&self) -> Vec<String> {
        show::draw(self)
    }

    fn report(&self, text: &str, section: &str, pictures: Option<&str>) -> Option<Result<String, String>> {
        // What is not right stays out of a report that was.
        self.is_right().then(|| show::report(text, section, self, pictures))
    }
}

impl Render for Growth {
    fn is_empty(&self) -> bool {
        self.catalogues.is_empty() && self.idle.is_empty()
    }

    fn incomplete(&self) -> Option<&str> {
        self.incomplete.as_deref()
    }

    fn table(&self, columns: Option<u16>) -> String {
        show::growth_table(self, columns.map(usize::from))
    }

    fn json(&self) -> String {
        json(self)
    }

    fn csv(&self) -> String {
        unreachable!("growth has no such option")
    }

    fn html(&self) -> String {
        unreachable!("growth has no such option")
    }

    fn pictures(&self) -> Vec<String> {
        unreachable!("growth has no such option")
    }

    fn report(&self, text: &str, section: &str, _: Option<&str>) -> Option<Result<String, String>> {
        Some(show::growth_report(text, section, self))
    }
}

fn json(results: &impl Serialize) -> String {
    serde_json::to_string_pretty(results).expect("results are JSON") + "\n"
}
