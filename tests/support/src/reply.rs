//! [`Reply`]: a line that is a reply, with an envelope that is right to the byte.

use serde_json::Value;

use crate::failure::Failure;

/// A reply that answers the right request.
pub struct Reply {
    line: String,
    /// What stands before `ok`.
    head: String,
}

impl Reply {
    /// The reply to the request with this ID, which is JSON.
    ///
    /// # Panics
    ///
    /// If the line answers another request, or none.
    #[track_caller]
    pub fn new(line: String, id: &str) -> Self {
        let head = format!(r#"{{"type":"Response","request_id":{id},"ok":"#);
        assert!(line.starts_with(&head), "{line} answers {id}");
        Self { line, head }
    }

    /// The JSON of the data that it brings, or the error that it reports.
    ///
    /// # Panics
    ///
    /// If it is neither as the protocol has it.
    #[track_caller]
    pub fn outcome(&self) -> Result<String, Failure> {
        let rest = self.line[self.head.len()..].strip_prefix(r#"true,"error":null,"data":"#);
        let Some(data) = rest.and_then(|rest| rest.strip_suffix('}')) else { return Err(self.refusal()) };
        assert!(serde_json::from_str::<Value>(data).expect("data is JSON").is_object(), "{data}");
        Ok(data.to_owned())
    }

    /// The JSON of the data of a reply that reports success.
    #[track_caller]
    pub fn data(&self) -> String {
        self.outcome().unwrap_or_else(|_| panic!("success, not {}", self.line))
    }

    /// The message of a reply that reports this error.
    #[track_caller]
    pub fn refused_with(&self, code: &str, request: &str) -> String {
        match self.outcome() {
            Err(Failure::Refused(refused, message)) if refused == code => message,
            _ => panic!("{request} is refused with {code}, not {}", self.line),
        }
    }

    #[track_caller]
    fn refusal(&self) -> Failure {
        let value: Value = serde_json::from_str(&self.line).expect("a reply is JSON");
        let text = |field: &str| value["error"][field].as_str();
        let (Some(code), Some(message)) = (text("code"), text("message")) else {
            panic!("neither success nor an error: {}", self.line)
        };
        let error = format!(r#"{{"code":"{code}","message":{}}}"#, Value::from(message));
        assert_eq!(self.line, format!(r#"{}false,"error":{error},"data":null}}"#, self.head));
        assert!(!message.is_empty());
        Failure::Refused(code.to_owned(), message.to_owned())
    }
}
