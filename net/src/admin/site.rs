//! [`Site`]: what those who watch a process are shown by their browsers. It knows no page, and what a browser may do with
//! one is said by whoever wrote it.

use std::borrow::Cow;

/// Documents that stand beside what all processes answer, and who may read more than its own.
#[derive(Debug, Default)]
pub struct Site {
    /// What there is. A request for anything else finds nothing.
    pub documents: Vec<Document>,
    /// The `Content-Security-Policy` of all documents, in one line.
    pub policy: String,
    /// Origins as browsers write them, such as `http://127.0.0.1:80`: their pages may read the metrics.
    pub readers: Vec<String>,
}

/// What is found at a path.
#[derive(Debug)]
pub struct Document {
    /// Where it is: `/`, or more.
    pub path: &'static str,
    /// What it is.
    pub content_type: &'static str,
    /// What it says.
    pub body: Cow<'static, str>,
}

impl Site {
    pub(super) fn document(&self, path: &str) -> Option<&Document> {
        self.documents.iter().find(|document| document.path == path)
    }

    /// The origin that a request names, if its pages may read the metrics.
    pub(super) fn reader<'a>(&self, origin: Option<&'a str>) -> Option<&'a str> {
        origin.filter(|origin| self.readers.iter().any(|reader| reader == origin))
    }
}
