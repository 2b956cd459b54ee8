//! What follows from the outcome of what was sent: an answer, or another attempt.

use super::super::operation::{Refused, Sharing};
use super::super::wire::{Class, Failure, Outcome, Reply, ServerError};
use super::Pool;
use super::asked::Asked;
use super::place::Sent;

impl Pool {
    /// What was sent has this outcome. Returns why its connection is to be closed, if it is.
    pub(super) fn ended(&mut self, sent: Sent, outcome: Outcome) -> Option<String> {
        let Sent { lane, members, is_write, .. } = sent;
        members.iter().for_each(|asked| self.lanes[lane].ended(asked));
        let is_shared = members.len() > 1;
        match outcome {
            Outcome::Done(replies) => {
                // What has changed nothing is committed without waiting for anybody.
                if is_write && replies.iter().any(|reply| reply.is_change) {
                    self.commit_answered();
                }
                self.is_first_done |= lane == self.lane_of_first();
                self.done(members, replies);
                None
            }
            Outcome::Failed { error, .. } => {
                self.metrics.fails(&error, is_shared);
                let is_leaving = error.class() == Class::Leave;
                for asked in members.into_iter().filter(|asked| !asked.is_answered) {
                    if is_shared {
                        self.again_alone(lane, asked);
                    } else {
                        self.failed(lane, asked, &error);
                    }
                }
                is_leaving.then(|| Failure::Refused(error).to_string())
            }
            Outcome::Lost => {
                // Nothing of it was done, and nothing is wrong with it.
                self.metrics.other_failures.add(1);
                members
                    .into_iter()
                    .filter(|asked| !asked.is_answered)
                    .for_each(|asked| self.again(lane, asked));
                None
            }
            Outcome::Unknown => {
                self.metrics.unknown.add(1);
                members
                    .into_iter()
                    .filter(|asked| !asked.is_answered)
                    .for_each(|asked| self.unknown(lane, asked));
                None
            }
        }
    }

    /// Commits are answered.
    fn commit_answered(&mut self) {
        if let Some(stalled) = self.commits.answered(self.now) {
            self.metrics.abandoned.set(0);
            self.watch.commits_go_on(stalled);
            self.is_stirred = true;
        }
    }

    /// Hands the replies to those whose statements they are to.
    fn done(&mut self, members: Vec<Asked>, replies: Vec<Reply>) {
        let mut replies = replies.into_iter();
        for asked in members {
            let own: Vec<Reply> = replies.by_ref().take(asked.transaction.calls.len()).collect();
            assert_eq!(own.len(), asked.transaction.calls.len(), "there is a reply to each statement");
            if !asked.is_answered {
                self.answer(asked.number, asked.deadline, Ok(Ok(own)));
            }
        }
    }

    /// Nothing of a transaction that was alone was done.
    fn failed(&mut self, lane: usize, asked: Asked, error: &ServerError) {
        match error.class() {
            Class::Replay => self.later(lane, asked),
            Class::Strained => {
                self.watch.cannot(self.now, error);
                self.later(lane, asked);
            }
            Class::Unknown => self.unknown(lane, asked),
            Class::Refusal => self.answer(asked.number, asked.deadline, Ok(Err(Refused))),
            Class::Leave => self.again(lane, asked),
            Class::Defect => {
                if !asked.transaction.is_tentative {
                    self.watch.cannot(self.now, error);
                }
                self.answer(asked.number, asked.deadline, Err(asked.defective()));
            }
        }
    }

    /// Nobody knows whether a transaction was carried out.
    fn unknown(&mut self, lane: usize, mut asked: Asked) {
        let error = asked.unanswered();
        if asked.is_repeatable() {
            self.later(lane, asked);
        } else {
            self.answer(asked.number, asked.deadline, Err(error));
        }
    }

    /// One of a group has failed, which may have been any of them.
    fn again_alone(&mut self, lane: usize, mut asked: Asked) {
        asked.transaction.sharing = Sharing::Nobody;
        self.again(lane, asked);
    }

    fn later(&mut self, lane: usize, mut asked: Asked) {
        asked.transaction.sharing = Sharing::Nobody;
        asked.pause(self.now, self.chance.next());
        self.alarms.insert((asked.not_before, asked.number));
        self.again(lane, asked);
    }

    fn again(&mut self, lane: usize, asked: Asked) {
        self.is_stirred = true;
        self.lanes[lane].wait(asked);
    }
}
