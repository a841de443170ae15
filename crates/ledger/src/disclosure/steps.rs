//! The steps.

use std::collections::BTreeMap;

use base::Timestamp;

use super::draft::{Draft, Incomplete};
use super::record::Record;
use super::review::{Approval, Review, ReviewPolicy};
use crate::canonical::NotCanonical;
use crate::commitment::{CustomerTag, Salt};
use crate::entry::{Entry, NoEntry};
use crate::hash::Hash;
use crate::receipt::Receipt;

/// A disclosure that has come as far as `S` says.
#[derive(Clone, Debug)]
pub struct Disclosure<S> {
    draft: Draft,
    step: S,
}

/// Described.
#[derive(Clone, Copy, Debug)]
pub struct Drafted(());

/// What may leave is chosen.
#[derive(Clone, Debug)]
pub struct Minimised {
    payload: Vec<u8>,
    counts: BTreeMap<String, u64>,
}

/// Agreed to.
#[derive(Clone, Debug)]
pub struct Reviewed {
    chosen: Minimised,
    review: Review,
}

/// In the ledger.
#[derive(Clone, Debug)]
pub struct Ledgered {
    payload: Vec<u8>,
    receipt: Receipt,
}

/// Gone, and what became of it.
#[derive(Clone, Debug)]
pub struct Sent {
    receipt: Receipt,
    at: Timestamp,
    stage: Stage,
}

/// What became of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was heard yet.
    Sent,
    /// The recipient has it.
    Acknowledged,
    /// It did not arrive.
    Bounced,
    /// The recipient was asked to forget it.
    Withdrawn,
    /// The recipient's time with it is over.
    Expired,
}

/// Why a step is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The draft.
    #[error(transparent)]
    Draft(#[from] Incomplete),
    /// What would leave.
    #[error("payload: {0}")]
    Payload(&'static str),
    /// The review.
    #[error("review: {0}")]
    Review(&'static str),
    /// It cannot be said in the ledger.
    #[error(transparent)]
    Entry(#[from] NoEntry),
    /// It cannot be said in the ledger.
    #[error(transparent)]
    Canonical(#[from] NotCanonical),
    /// The receipt is of something else.
    #[error("the receipt is of another entry: nothing is sent")]
    Receipt,
    /// Too late.
    #[error("it expired at {0}: make a new draft")]
    Expired(Timestamp),
    /// Not from where it is.
    #[error("it is {from:?} and cannot become {to:?}")]
    Order {
        /// Where it is.
        from: Stage,
        /// Where it should go.
        to: Stage,
    },
}

impl Disclosure<Drafted> {
    /// Begins.
    ///
    /// # Errors
    /// The draft lacks something.
    pub fn new(draft: Draft) -> Result<Self, Refused> {
        draft.check()?;
        Ok(Self { draft, step: Drafted(()) })
    }

    /// Says what would leave, and what can be counted in it.
    ///
    /// # Errors
    /// There is nothing in it, or it is not what was packed from the bag that the draft names.
    pub fn minimise(
        self,
        payload: Vec<u8>,
        counts: BTreeMap<String, u64>,
    ) -> Result<Disclosure<Minimised>, Refused> {
        if payload.is_empty() {
            return Err(Refused::Payload("it is empty"));
        }
        if self.draft.archive.is_some_and(|archive| archive != Hash::of(&payload)) {
            return Err(Refused::Payload(
                "it is not what was packed from the sealed bag that the draft names",
            ));
        }
        Ok(Disclosure { draft: self.draft, step: Minimised { payload, counts } })
    }
}

impl Disclosure<Minimised> {
    /// SHA-256 of what would leave: what approvals are given for.
    pub fn payload_hash(&self) -> Hash {
        Hash::of(&self.step.payload)
    }

    /// Weighs what persons said to it.
    ///
    /// # Errors
    /// It is not enough.
    pub fn review(
        self,
        approvals: &[Approval],
        policy: ReviewPolicy,
    ) -> Result<Disclosure<Reviewed>, Refused> {
        let review =
            Review::weigh(&self.draft, self.payload_hash(), approvals, policy).map_err(Refused::Review)?;
        Ok(Disclosure { draft: self.draft, step: Reviewed { chosen: self.step, review } })
    }
}

impl Disclosure<Reviewed> {
    /// What the ledger says of it, openly or sealed.
    ///
    /// # Errors
    /// The draft has no canonical form.
    pub fn record(&self, salt: Salt, customer: Option<CustomerTag>) -> Result<Record, Refused> {
        let Reviewed { chosen, review } = &self.step;
        Ok(Record::new(&self.draft, &chosen.payload, &chosen.counts, review.persons(), salt, customer)?)
    }

    /// The entry that has to stand in the ledger before it leaves.
    ///
    /// # Errors
    /// It cannot be said there.
    pub fn entry(
        &self,
        time: Timestamp,
        salt: Salt,
        customer: Option<CustomerTag>,
    ) -> Result<Entry, Refused> {
        let entry = Entry::new(time, self.record(salt, customer)?.entry(salt, self.draft.customer_may_know)?);
        // said once, so that what is refused is refused before it is written
        entry.octets()?;
        Ok(entry)
    }

    /// Takes the receipt for that entry.
    ///
    /// # Errors
    /// It is a receipt for another one.
    pub fn ledgered(
        self,
        salt: Salt,
        customer: Option<CustomerTag>,
        receipt: Receipt,
    ) -> Result<Disclosure<Ledgered>, Refused> {
        let written = Entry::parse(receipt.entry())?;
        if self.entry(written.time, salt, customer)? != written {
            return Err(Refused::Receipt);
        }
        Ok(Disclosure { draft: self.draft, step: Ledgered { payload: self.step.chosen.payload, receipt } })
    }
}

/// What may leave, with the proof that it stands in the ledger. [`Disclosure::bundle`] alone makes one.
///
/// ```compile_fail
/// // no receipt, no bundle
/// fn skip(reviewed: ledger::disclosure::Disclosure<ledger::disclosure::Reviewed>) {
///     reviewed.bundle(base::Timestamp::default());
/// }
/// ```
/// ```compile_fail
/// use ledger::{Receipt, disclosure::{Bundle, Draft}};
/// fn by_hand<'a>(draft: &'a Draft, payload: &'a [u8], receipt: &'a Receipt) -> Bundle<'a> {
///     Bundle { draft, payload, receipt }
/// }
/// ```
#[derive(Debug)]
pub struct Bundle<'a> {
    draft: &'a Draft,
    payload: &'a [u8],
    receipt: &'a Receipt,
}

impl Bundle<'_> {
    /// What it is.
    pub fn draft(&self) -> &Draft {
        self.draft
    }

    /// What leaves.
    pub fn payload(&self) -> &[u8] {
        self.payload
    }

    /// The proof.
    pub fn receipt(&self) -> &Receipt {
        self.receipt
    }
}

/// What brings a bundle to its recipient. It takes nothing else.
///
/// ```compile_fail
/// fn send(sender: &mut impl ledger::disclosure::Sender, letter: &[u8]) {
///     let _ = sender.send(letter);
/// }
/// ```
pub trait Sender {
    /// Why it did not.
    type Error;

    /// Sends it.
    ///
    /// # Errors
    /// It did not leave.
    fn send(&mut self, bundle: &Bundle<'_>) -> Result<(), Self::Error>;
}

impl Disclosure<Ledgered> {
    /// The proof that it stands in the ledger.
    pub fn receipt(&self) -> &Receipt {
        &self.step.receipt
    }

    /// What a sender takes.
    ///
    /// # Errors
    /// It is too late.
    pub fn bundle(&self, now: Timestamp) -> Result<Bundle<'_>, Refused> {
        if now >= self.draft.expires {
            return Err(Refused::Expired(self.draft.expires));
        }
        Ok(Bundle { draft: &self.draft, payload: &self.step.payload, receipt: &self.step.receipt })
    }

    /// Sends it. What a sender refuses stays in the ledger: the entry says that it was about to leave.
    ///
    /// # Errors
    /// It is too late, or the sender's own.
    pub fn send<S: Sender>(
        self,
        sender: &mut S,
        now: Timestamp,
    ) -> Result<Disclosure<Sent>, SendError<S::Error>> {
        let bundle = self.bundle(now).map_err(SendError::Refused)?;
        sender.send(&bundle).map_err(SendError::Sender)?;
        Ok(self.sent(now))
    }

    /// What was sent already, as the operator's files say.
    pub fn sent(self, at: Timestamp) -> Disclosure<Sent> {
        Disclosure { draft: self.draft, step: Sent { receipt: self.step.receipt, at, stage: Stage::Sent } }
    }
}

/// Why nothing was sent.
#[derive(Debug)]
pub enum SendError<E> {
    /// It may not be.
    Refused(Refused),
    /// The sender could not.
    Sender(E),
}

impl Disclosure<Sent> {
    /// What became of it.
    pub fn stage(&self) -> Stage {
        self.step.stage
    }

    /// When it was sent.
    pub fn sent_at(&self) -> Timestamp {
        self.step.at
    }

    /// The proof that it stands in the ledger.
    pub fn receipt(&self) -> &Receipt {
        &self.step.receipt
    }

    /// Goes on.
    ///
    /// # Errors
    /// Not from where it is.
    pub fn becomes(self, to: Stage) -> Result<Self, Refused> {
        let from = self.step.stage;
        match (from, to) {
            (Stage::Sent, Stage::Acknowledged | Stage::Bounced | Stage::Withdrawn | Stage::Expired)
            | (Stage::Acknowledged, Stage::Withdrawn | Stage::Expired)
            | (Stage::Bounced | Stage::Withdrawn, Stage::Expired) => {
                Ok(Self { step: Sent { stage: to, ..self.step }, ..self })
            }
            _ => Err(Refused::Order { from, to }),
        }
    }
}

impl<S> Disclosure<S> {
    /// What it is.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }
}
