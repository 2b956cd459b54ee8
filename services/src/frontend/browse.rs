//! [`BrowseFlow`]: finding items. Anybody may; a session that is sent is checked first.

use super::login::validate;
use crate::api::DatabaseApi;
use crate::api::envelope::Reply;
use crate::api::error::Error;
use crate::api::items::Browse;
use crate::api::sessions::ValidateSession;
use crate::engine::call::DatabaseCall;
use crate::engine::flow::Step;

/// A request of someone who browses, by what it waits for.
pub(crate) enum BrowseFlow {
    /// For the session, to be checked before this call.
    Session(DatabaseCall),
    /// For what was asked for.
    Found,
}

impl BrowseFlow {
    pub(crate) fn start<A: DatabaseApi>(browse: Browse<A>) -> Step<Self> {
        let call = DatabaseCall::new(&browse.request);
        match browse.session {
            Some(session) => Step::Call(validate(session), Self::Session(call)),
            None => Step::Call(call, Self::Found),
        }
    }

    pub(crate) fn resume(self, reply: Result<Reply<'_>, Error>) -> Result<Step<Self>, Error> {
        let reply = reply?;
        match self {
            Self::Session(call) => {
                reply.data_of::<ValidateSession>()?;
                Ok(Step::Call(call, Self::Found))
            }
            Self::Found => Ok(Step::Relay),
        }
    }
}
