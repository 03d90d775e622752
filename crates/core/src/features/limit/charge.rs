//! Charges that can be settled: hits that were charged before their number was known, or that turn out not to count.

use std::{
    fmt::{self, Display, Formatter},
    sync::Arc,
};

use bytes::Bytes;
use cinnabar_port::{
    Call, Reply, Request,
    error::{Error, Kind, Result},
    random,
};

use ring::digest::{SHA256, digest};

use super::{
    DenyCache, Limiter, Source, changing,
    policy::cost_of,
    result::Outcome,
    subject::{Build, Subject, learning, learning_locally},
};
use crate::keys;

policy_script!(SETTLE = "limit/settle.lua", keys: 2, args: 9);

/// A charge, as callers keep it: `number.hits.counter.whose.mark`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// A random number, by which it is settled only once.
    number: String,
    cost: u64,
    source: Source,
    /// The beginning of the hash of the entry that was charged.
    of: String,
    /// Where it was charged, for the script.
    mark: String,
}

impl Charge {
    pub(super) fn new(cost: u64, mark: &str, source: Source, entry: &Bytes) -> Self {
        // Without a random number, it cannot be settled.
        Self { number: random::hex::<8>().unwrap_or_default(), cost, source, of: hash_of(entry), mark: mark.to_owned() }
    }

    /// Returns its hits.
    pub(super) fn cost(&self) -> u64 {
        self.cost
    }

    /// Whether it was charged to this entry.
    fn is_of(&self, entry: &Bytes) -> bool {
        self.of == hash_of(entry)
    }

    /// Reads a charge. It may come from elsewhere, so any text is acceptable; `None` if it is not a charge.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '.');
        let [number, cost, source, of, mark] =
            [parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        let is_number = number.len() == 16 && number.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_mark = mark.len() <= 80 && mark.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'/'));
        let source = match source {
            "s" => Source::Store,
            "l" => Source::Local,
            _ => return None,
        };
        let cost = cost.parse().ok().filter(|cost| cost_of("cost", *cost as f64).is_ok())?;
        (is_number && is_mark).then(|| Self {
            number: number.to_owned(),
            cost,
            source,
            of: of.to_owned(),
            mark: mark.to_owned(),
        })
    }
}

impl Display for Charge {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let source = if self.source == Source::Local { 'l' } else { 's' };
        write!(to, "{}.{}.{source}.{}.{}", self.number, self.cost, self.of, self.mark)
    }
}

fn hash_of(entry: &Bytes) -> String {
    let hash = digest(&SHA256, entry);
    random::to_hex(hash.as_ref().get(..4).unwrap_or_default())
}

impl Limiter {
    /// Replaces the number of hits of a charge by the actual one, which may exceed the limit; 0 refunds it. Of what is refunded, only
    /// what still counts is given back. Returns false for a charge that has been settled, or is not one.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` for an unknown policy or an invalid number of hits.
    pub fn settle(
        &self,
        policy: &str,
        id: &str,
        charge: &str,
        actual: f64,
        cache: Option<&Arc<DenyCache>>,
    ) -> Result<Call<bool>> {
        let (subject, actual) = (self.counted(policy, id, None)?, cost_of("actual", actual)?);
        match Charge::parse(charge) {
            Some(charge) if subject.policy.limit().is_some() && charge.is_of(&subject.entry) => {
                let call = self.settle_subject(&subject, &charge, actual, true)?;
                Ok(changing(cache, subject.entry, call))
            }
            _ => Ok(Call::ready(false)),
        }
    }

    /// Settles a charge; `again` notices if that is tried again.
    pub(super) fn settle_subject(
        &self,
        subject: &Subject,
        charge: &Charge,
        actual: u64,
        again: bool,
    ) -> Result<Call<bool>> {
        let Subject { policy, counter, entry } = subject.clone();
        let settled = keys::settled_charge(&self.prefix, &counter, policy.name(), &charge.number);
        let calendars: Vec<_> = policy.calendar().cloned().into_iter().collect();
        let tail: [Bytes; 5] = [
            charge.cost.to_string().into(),
            actual.to_string().into(),
            charge.mark.clone().into(),
            Bytes::from_static(if again { b"1" } else { b"0" }),
            self.changes_channel(),
        ];
        let build: Build = Arc::new(move || {
            let [algorithm, limit, period, extra] = policy.args();
            let [cost, actual, mark, again, channel] = tail.clone();
            let (entry, settled) = (entry.clone(), settled.clone());
            Request::script(
                &SETTLE,
                [entry, settled, algorithm, limit, period, extra, cost, actual, mark, again, channel],
            )
        });
        if charge.source == Source::Local {
            let local = self.local.clone();
            return Ok(Call::ready(()).then(move |()| {
                let settled = learning_locally(&calendars, &build, |request| local.execute(request), settled_by)?;
                Ok(cinnabar_port::Step::Done(settled))
            }));
        }
        Ok(learning(calendars, build, Box::new(settled_by)))
    }
}

/// Reads 1 or 0, or that the bounds of a calendar are unknown.
pub(super) fn settled_by(reply: Reply) -> Result<Outcome<bool>> {
    match reply {
        Reply::Int(done) => Ok(Outcome::Done(done == 1)),
        Reply::Array(fields) => match fields[..] {
            [Reply::Int(_), Reply::Int(now_ms)] => Ok(Outcome::Stale(now_ms)),
            _ => Err(Error::new(Kind::Internal, "a limit's reply has another shape")),
        },
        _ => Err(Error::new(Kind::Internal, "a limit's reply has another shape")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_is_read_as_it_was_written() {
        for (cost, mark, source) in [(1, "12/34:56", Source::Store), (0, "", Source::Local)] {
            let entry = Bytes::from_static(b"entry");
            let charge = Charge::new(cost, mark, source, &entry);
            assert!(charge.is_of(&entry) && !charge.is_of(&Bytes::from_static(b"other")));
            assert_eq!(Charge::parse(&charge.to_string()), Some(charge));
        }
    }

    #[test]
    fn other_texts_are_no_charges() {
        let number = "0123456789abcdef";
        for text in [
            "",
            "...",
            "a.b.c.d.e",
            &format!("{number}.1.s"),
            &format!("{number}.-1.s.0.1"),
            &format!("{number}.1.x.0.1"),
        ] {
            assert_eq!(Charge::parse(text), None, "{text}");
        }
        for bad in [
            format!("{number}.1.s.0.a"),
            format!("{number}.99999999999999999.s.0.1"),
            format!("{number}.1.s.0.{}", "1".repeat(81)),
        ] {
            assert_eq!(Charge::parse(&bad), None, "{bad}");
        }
        assert!(Charge::parse(&format!("{number}.1.s.0.1")).is_some());
    }
}
