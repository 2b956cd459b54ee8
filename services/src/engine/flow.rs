//! [`Flow`]: a request on its way through the databases, as the engine sees it. A recovery goes the same way, without
//! a request.

use super::call::DatabaseCall;
use super::intake::{Entry, decode};
use super::metrics::Title;
use crate::api::envelope::Reply;
use crate::api::error::Error;
use crate::api::fields::Fields;
use crate::api::{Api, Encode};

/// What is to be done next about a request.
pub(crate) enum Step<F> {
    /// Answer with this JSON as `data`.
    Reply(Vec<u8>),
    /// Answer with the database's reply that has just come, as it is but for its ID.
    Relay,
    /// Call a database, and resume this state with what comes back.
    Call(DatabaseCall, F),
    /// Go on as a flow for each of these calls, none or more. Only a recovery does so.
    Fork {
        calls: Vec<(DatabaseCall, F)>,
        /// There may be more to recover. If not, there is time until the next recovery.
        is_more: bool,
    },
    /// Something was recovered, and nothing more is to be done. Only a recovery ends so, for it answers nobody.
    Recovered,
}

/// What a service does of itself, now and then: it brings to an end what others have left unfinished.
pub(crate) struct Recovery<F> {
    /// Takes the first step.
    pub(crate) start: fn() -> Step<F>,
    /// Under what it is counted.
    pub(crate) metric: Title,
}

/// A request on its way through the databases: a state for each reply that it can wait for.
pub(crate) trait Flow: Sized + 'static {
    /// The name of the service.
    const SERVICE: &'static str;

    /// Its APIs. `Ping` is answered for every flow.
    const APIS: &'static [Entry<Starter<Self>>];

    /// What it does of itself, if anything.
    const RECOVERY: Option<Recovery<Self>> = None;

    /// Goes on with the reply that this state waited for, or with the error that stands for it.
    ///
    /// # Errors
    /// What the client is told. What a recovery cannot do, a later one tries again.
    fn resume(self, reply: Result<Reply<'_>, Error>) -> Result<Step<Self>, Error>;
}

/// How requests of an API begin.
pub(crate) trait Start<A: Api>: Flow {
    /// Takes the first step.
    ///
    /// # Errors
    /// What the client is told.
    fn start(request: A) -> Result<Step<Self>, Error>;
}

/// Begins a request.
pub(crate) type Starter<F> = fn(Fields<'_>) -> Result<Step<F>, Error>;

/// The entry of an API.
pub(crate) const fn started<F: Start<A>, A: Api>() -> Entry<Starter<F>> {
    Entry::of::<A>(|fields| F::start(decode(fields)?))
}

impl<F> Step<F> {
    /// Answers with what an API returns.
    pub(crate) fn reply(reply: &impl Encode) -> Self {
        let mut data = Vec::new();
        reply.encode(&mut data);
        Self::Reply(data)
    }

    /// The same step of the flow that this one is a part of.
    pub(crate) fn map<G>(self, wrap: impl Fn(F) -> G) -> Step<G> {
        match self {
            Self::Reply(data) => Step::Reply(data),
            Self::Relay => Step::Relay,
            Self::Call(call, flow) => Step::Call(call, wrap(flow)),
            Self::Fork { calls, is_more } => {
                let calls = calls.into_iter().map(|(call, flow)| (call, wrap(flow))).collect();
                Step::Fork { calls, is_more }
            }
            Self::Recovered => Step::Recovered,
        }
    }
}
