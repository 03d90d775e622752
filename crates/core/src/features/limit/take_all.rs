//! Checks under several policies at once.

use std::sync::Arc;

use bytes::Bytes;
use cinnabar_port::{
    Call, Request, Step,
    error::{Error, Kind, Result},
};

use super::{
    Check, LimitResult, Limiter, OnUnavailable, Results, Source,
    charge::Charge,
    policy::cost_of,
    subject::{Build, Read, Subject, learning, learning_locally},
};

policy_script!(TAKE_ALL = "limit/take_all.lua", keys: 1, args: 0, is: [same_keys]);

/// The most policies of one check.
const MAX_CHECKS: usize = 32;

/// One of the checks.
#[derive(Debug, Clone)]
struct Item {
    subject: Subject,
    cost: u64,
}

impl Limiter {
    /// Checks hits under several policies, which are all charged, or none is.
    ///
    /// In a cluster, identifiers are in different slots. Then each slot decides on its own, and if one refuses, the charges of the others
    /// are refunded one round later. So a limit is never exceeded, but for that moment others may be refused.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT` as for `take`; and for no checks, too many, or a policy that occurs twice for an identifier.
    pub fn take_all(self: &Arc<Self>, checks: &[Check]) -> Result<Call<Results>> {
        if checks.is_empty() || checks.len() > MAX_CHECKS {
            return Err(Error::argument(format!("checkAll takes 1 to {MAX_CHECKS} checks, got {}", checks.len())));
        }
        let mut items: Vec<Item> = Vec::with_capacity(checks.len());
        for check in checks {
            let subject = self.counted(&check.policy, &check.id, check.limit)?;
            if items.iter().any(|item| item.subject.entry == subject.entry) {
                return Err(Error::argument("checkAll takes each policy of an identifier once: add up their costs"));
            }
            items.push(Item { subject, cost: cost_of("cost", check.cost)? });
        }
        let limits: Vec<_> = items.iter().map(|item| item.subject.policy.limit()).collect();
        items.retain(|item| item.subject.policy.limit().is_some());
        if items.is_empty() {
            return Ok(Call::ready(with_unlimited(Results::of(Vec::new()), &limits)));
        }
        let call = match by_identifier(&items) {
            groups if groups.len() == 1 => take_group(&items),
            groups => self.take_items(&items, groups),
        };
        let uncounted = {
            let items = items.clone();
            move |allowed| Ok(Results::of(items.iter().map(|item| uncounted(item, allowed)).collect()))
        };
        let call = match self.on_unavailable(OnUnavailable::Allow) {
            OnUnavailable::Allow => call.or_fallback(move || uncounted(true)),
            OnUnavailable::Deny => call.or_fallback(move || uncounted(false)),
            OnUnavailable::Local => {
                let local = self.local.clone();
                call.or_fallback(move || {
                    let read = read(&items, Source::Local);
                    learning_locally(&calendars(&items), &build(&items), |request| local.execute(request), read)
                })
            }
            OnUnavailable::Throw => call,
        };
        Ok(call.map(move |results| with_unlimited(results, &limits)))
    }

    /// Checks all of them in one step if they are in one slot, otherwise slot by slot.
    fn take_items(self: &Arc<Self>, items: &[Item], groups: Vec<Vec<usize>>) -> Call<Results> {
        let (this, all) = (self.clone(), items.to_vec());
        let Call { requests, read } = take_group(items);
        Call {
            requests,
            read: Box::new(move |replies| match read(replies) {
                Err(error) if error.kind == Kind::Unsupported => Ok(Step::Next(this.take_groups(&all, groups))),
                step => step,
            }),
        }
    }

    fn take_groups(self: &Arc<Self>, items: &[Item], groups: Vec<Vec<usize>>) -> Call<Results> {
        let calls = groups.iter().map(|group| {
            let own: Vec<_> = group.iter().map(|&at| items[at].clone()).collect();
            // The others have to be refunded if one fails.
            take_group(&own).map(Ok).or_else(|error| Ok(Err(error)))
        });
        let (this, items, count) = (self.clone(), items.to_vec(), items.len());
        let otherwise = match self.on_unavailable(OnUnavailable::Allow) {
            OnUnavailable::Allow | OnUnavailable::Local => Some(true),
            OnUnavailable::Deny => Some(false),
            OnUnavailable::Throw => None,
        };
        Call::join_all(calls.collect()).then(move |done: Vec<Result<Results>>| {
            let is_allowed = |results: &Result<Results>| results.as_ref().is_ok_and(|results| results.allowed);
            let allowed = done.iter().all(is_allowed);
            let mut refunds = Vec::new();
            if !allowed {
                for (group, results) in groups.iter().zip(&done).filter(|(_, results)| is_allowed(results)) {
                    for (&at, result) in group.iter().zip(results.iter().flat_map(|results| &results.each)) {
                        let Item { subject, cost } = &items[at];
                        let Some(mark) = result.charge.as_deref() else { continue };
                        refunds.push(this.settle_subject(
                            subject,
                            &Charge::new(*cost, mark, Source::Store, &subject.entry),
                            0,
                            false,
                        )?);
                    }
                }
            }
            // A refusal decides, whatever those would say that could not be asked.
            let otherwise = done.iter().flatten().any(|results| !results.allowed).then_some(()).and(otherwise);
            let done = done.into_iter().zip(&groups).map(|(results, group)| match (results, otherwise) {
                (Err(error), Some(allowed)) if error.kind.allows_fallback() => {
                    Ok(Results::of(group.iter().map(|&at| uncounted(&items[at], allowed)).collect()))
                }
                (results, _) => results,
            });
            let results = done.collect::<Result<Vec<_>>>().map(|done| {
                let mut each: Vec<_> = vec![None; count];
                for (group, results) in groups.into_iter().zip(done) {
                    group.into_iter().zip(results.each).for_each(|(at, result)| each[at] = Some(result));
                }
                Results { allowed, each: each.into_iter().flatten().collect() }
            });
            if refunds.is_empty() {
                return results.map(Step::Done);
            }
            // What could not be refunded stays charged, which allows less than the limit, not more.
            let refunds = refunds.into_iter().map(|refund| refund.or_else(|_| Ok(false))).collect();
            Ok(Step::Next(Call::join_all(refunds).then(|_| results.map(Step::Done))))
        })
    }
}

/// The result of a check that was not counted.
fn uncounted(Item { subject, .. }: &Item, allowed: bool) -> LimitResult {
    let period_ms = i64::try_from(subject.policy.longest_ms()).unwrap_or(i64::MAX);
    LimitResult::uncounted(allowed, subject.policy.limit(), period_ms)
}

/// The positions of items by their identifiers, whose entries share a slot.
fn by_identifier(items: &[Item]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        match groups.iter_mut().find(|group| items[group[0]].subject.counter == item.subject.counter) {
            Some(group) => group.push(at),
            None => groups.push(vec![at]),
        }
    }
    groups
}

fn take_group(items: &[Item]) -> Call<Results> {
    learning(calendars(items), build(items), read(items, Source::Store))
}

fn read(items: &[Item], source: Source) -> Read<Results> {
    let policies: Vec<_> = items.iter().map(|item| item.subject.policy.clone()).collect();
    Box::new(move |reply| Results::read(reply, &policies, source))
}

fn calendars(items: &[Item]) -> Vec<Arc<super::calendar::Calendar>> {
    items.iter().filter_map(|item| item.subject.policy.calendar().cloned()).collect()
}

fn build(items: &[Item]) -> Build {
    let items = items.to_vec();
    Arc::new(move || {
        let keys = items.iter().map(|item| item.subject.entry.clone()).collect();
        let args = items.iter().flat_map(|Item { subject, cost }| {
            let shadow = Bytes::from_static(if subject.policy.is_shadow() { b"1" } else { b"0" });
            subject.policy.args().into_iter().chain([Bytes::from(cost.to_string()), shadow])
        });
        Request::script_with(&TAKE_ALL, keys, args)
    })
}

/// Adds the results of policies that allow everything, without a limit in this list.
fn with_unlimited(results: Results, limits: &[Option<u64>]) -> Results {
    let Results { allowed, each } = results;
    let mut limited = each.into_iter();
    let each = limits.iter().map(|limit| match limit {
        Some(_) => limited.next().unwrap_or_else(LimitResult::unlimited),
        None => LimitResult::unlimited(),
    });
    let each = each.map(|result| LimitResult { charge: None, ..result }).collect();
    Results { allowed, each }
}
