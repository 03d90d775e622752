//! The worker's task: it speaks to the store.

use std::{
    future::{Future, pending},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use cinnabar_port::{
    Call, Event, EventKind, EventListener, MessageListener, Topic,
    error::{Kind, Result},
};
use parking_lot::MutexGuard;
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};

use super::{
    Notice, Settled, Worker,
    outbox::Notes,
    repeats::{PollResult, Repeats},
    scheduler::{Round, RoundResult, TakeRequest},
};
use crate::{
    agents::{clock_monitor::ClockMonitor, eviction, publish_denials, subscription::ChannelSubscription},
    features::queue::{Finish, JobLease, Published, Take, Taken},
    store::Store,
};

/// Items of one script run.
const FINISHES: usize = 100;
const BEATS: usize = 500;
/// No renew is given up earlier.
const LEAST_PATIENCE: Duration = Duration::from_millis(200);
/// With nothing to do, the task looks up this often.
const NEVER: Duration = Duration::from_secs(3600);

/// Something under way.
type InFlight<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What one look at the scheduler brings.
struct Turn {
    notices: Vec<Notice>,
    next_round: Option<Round>,
    next_beat: Option<Vec<(u64, JobLease)>>,
    until: Instant,
    gives_up_at: Option<Instant>,
    over: bool,
}

/// What was asked in a round.
enum Sent {
    Reports(Vec<(u64, Notes)>),
    Finishes(Vec<Finish>),
    Take(TakeRequest),
}

/// What was answered. Who finished too late learns it from a renew.
enum Answered {
    Told,
    Finished(Published),
    Taken(Taken),
}

impl Worker {
    /// Works until it is closed, by itself or when `closing` comes; at `cut` it ends at once. Tells `tell` what whoever
    /// runs jobs has to know. Answers the ids of the jobs that did not come to their end.
    pub async fn run(
        self: Arc<Self>,
        store: Arc<Store>,
        tell: impl Fn(Notice) + Send,
        closing: impl Future<Output = ()> + Send,
        cut: impl Future<Output = ()> + Send,
    ) -> Vec<String> {
        let _hearing = self.hear(&store);
        let _watcher = self.watch(&store);
        let (mut closing, mut cut) = (pin!(closing), pin!(cut));
        let (mut asked_to_close, mut asked_to_stop) = (false, false);
        let (mut round, mut renew) = (None::<InFlight<RoundResult>>, None::<InFlight<Option<Vec<u64>>>>);
        let mut eviction = Some::<InFlight<()>>(Box::pin(eviction::tell(store.clone())));
        let (mut repeats, mut look) = (Repeats::new(Instant::now()), None::<InFlight<PollResult>>);
        loop {
            let Turn { notices, next_round, next_beat, until, gives_up_at, over } = self.turn();
            notices.into_iter().for_each(&tell);
            if over {
                break;
            }
            if let Some(next) = next_round {
                round = Some(Box::pin(self.clone().send_round(store.clone(), next)));
            }
            if let Some(held) = next_beat {
                renew = Some(Box::pin(self.clone().renew(store.clone(), held)));
            }
            let looks = look.is_none() && !self.scheduler.lock().is_closing();
            if looks && let Some(at) = repeats.begin(Instant::now()) {
                look = Some(Box::pin(self.clone().fire(store.clone(), at)));
            }
            let until = if looks && look.is_none() { until.min(repeats.next_at()) } else { until };
            tokio::select! {
                result = ended(&mut round) => {
                    if let Some((_, taken)) = &result.taken {
                        repeats.found(taken, Instant::now());
                    }
                    let notices = self.scheduler.lock().round_ended(result, Instant::now());
                    notices.into_iter().for_each(&tell);
                    // The embedded engine answers at once: what else runs on this thread would wait as long as there are jobs.
                    yield_now().await;
                }
                lost = ended(&mut renew) => {
                    let notices = self.scheduler.lock().renewed(lost, Instant::now());
                    notices.into_iter().for_each(&tell);
                }
                looked = ended(&mut look) => {
                    let now = Instant::now();
                    let (added, failed) = repeats.ended(looked, now);
                    failed.map(Notice::Failing).into_iter().for_each(&tell);
                    if added {
                        self.scheduler.lock().wake(now);
                    }
                }
                () = ended(&mut eviction) => {}
                () = self.wake_up.notified() => {}
                () = sleep_until(until) => {}
                () = &mut closing, if !asked_to_close => {
                    asked_to_close = true;
                    self.close(None);
                }
                () = &mut cut, if !asked_to_stop => {
                    asked_to_stop = true;
                    self.close(Some(Duration::ZERO));
                }
                () = at(gives_up_at) => break,
            }
        }
        self.scheduler.lock().unfinished()
    }

    /// What is due now, and until when nothing else is.
    fn turn(&self) -> Turn {
        let now = Instant::now();
        let mut scheduler = self.scheduler.lock();
        let notices = scheduler.tick(now);
        let (next_round, next_beat) = (scheduler.round(now), scheduler.renew(now));
        let until = scheduler.next_at(now).unwrap_or(now + NEVER);
        scheduler.arm(until);
        Turn { notices, next_round, next_beat, until, gives_up_at: scheduler.gives_up_at(), over: scheduler.is_over() }
    }

    /// Tells and asks the store.
    async fn send_round(self: Arc<Self>, store: Arc<Store>, round: Round) -> RoundResult {
        let mut result = RoundResult::default();
        let calls = self.calls(round, &mut result);
        store
            .run(calls, Instant::now() + self.options.timeout, |answers| {
                for (answer, sent) in answers {
                    if let Ok(Answered::Finished(published)) = &answer {
                        publish_denials::record(&store, &self.queue, *published);
                    }
                    result.note(answer, sent);
                }
            })
            .await;
        if let Some((TakeRequest { again: false, .. }, taken)) = &result.taken {
            self.clock().saw(taken.now_ms, self.options.lease, Instant::now());
            publish_denials::record(&store, &self.queue, taken.published);
        }
        result
    }

    /// A round as calls, in its order. What cannot be asked has its answer at once.
    fn calls(&self, round: Round, result: &mut RoundResult) -> Vec<(Call<Answered>, Sent)> {
        let Round { reports, finishes, take } = round;
        let mut made = Vec::new();
        if !reports.is_empty() {
            let all = reports.iter().flat_map(|(_, notes)| notes.reports()).collect();
            made.push((self.queue.report(all).map(|call| call.map(|()| Answered::Told)), Sent::Reports(reports)));
        }
        for some in finishes.chunks(FINISHES) {
            let call = self.queue.finish(some.to_vec());
            let call = call.map(|call| call.map(|(_, published)| Answered::Finished(published)));
            made.push((call, Sent::Finishes(some.to_vec())));
        }
        if let Some(asked) = take {
            let Settled { lease, limits, .. } = self.options;
            let overdue = self.clock().ask(lease, Instant::now());
            let ask = Take {
                count: asked.count,
                lease,
                token: asked.token.clone(),
                limits,
                idle: asked.idle,
                yielding: asked.yielding.clone(),
                overdue,
            };
            let call = if asked.again {
                let found = self.queue.recover(&asked.token);
                found.map(|call| call.map(|jobs| Answered::Taken(Taken { jobs, ..Taken::default() })))
            } else {
                self.queue.take(&ask).map(|call| call.map(Answered::Taken))
            };
            made.push((call, Sent::Take(asked)));
        }
        let mut calls = Vec::with_capacity(made.len());
        for (call, sent) in made {
            match call {
                Ok(call) => calls.push((call, sent)),
                Err(error) => result.note(Err(error), sent),
            }
        }
        calls
    }

    /// Renews leases. Answers the numbers of those that are lost, or nothing where the store did not answer.
    async fn renew(self: Arc<Self>, store: Arc<Store>, held: Vec<(u64, JobLease)>) -> Option<Vec<u64>> {
        let (mut lost, mut failed, mut calls) = (Vec::new(), false, Vec::new());
        for some in held.chunks(BEATS) {
            let (numbers, held): (Vec<_>, Vec<_>) = some.iter().cloned().unzip();
            match self.queue.renew(self.options.lease, held) {
                Ok(call) => calls.push((call, numbers)),
                Err(_) => failed = true,
            }
        }
        // One that hangs must leave time for another within the lease.
        let patience = self.options.timeout.min((self.options.lease / 3).max(LEAST_PATIENCE));
        store
            .run(calls, Instant::now() + patience, |answers| {
                for (answer, numbers) in answers {
                    match answer {
                        Ok(ours) => {
                            lost.extend(numbers.into_iter().zip(ours).filter(|(_, ours)| !ours).map(|(n, _)| n))
                        }
                        Err(_) => failed = true,
                    }
                }
            })
            .await;
        (!failed).then_some(lost)
    }

    fn clock(&self) -> MutexGuard<'_, ClockMonitor> {
        self.clock.lock()
    }

    /// Wakes up when there are jobs.
    fn hear(self: &Arc<Self>, store: &Arc<Store>) -> ChannelSubscription {
        let wake = {
            let worker = Arc::downgrade(self);
            move || {
                if let Some(worker) = worker.upgrade() {
                    worker.with_scheduler(|scheduler, now| scheduler.wake(now));
                }
            }
        };
        let listener: MessageListener = {
            let wake = wake.clone();
            // A gap may have been a message.
            Arc::new(move |_| wake())
        };
        ChannelSubscription::of(store.clone(), Topic::Channel(self.queue.wake_channel()), listener, wake)
    }

    /// Goes on at once when the store can be reached again.
    fn watch(self: &Arc<Self>, store: &Arc<Store>) -> Arc<EventListener> {
        let worker = Arc::downgrade(self);
        let watcher: Arc<EventListener> = Arc::new(move |event: &Event| {
            if let (EventKind::Connected | EventKind::BreakerClosed, Some(worker)) = (event.kind, worker.upgrade()) {
                worker.with_scheduler(|scheduler, now| scheduler.reach(now));
            }
        });
        store.events().add_listener(&watcher);
        watcher
    }
}

impl RoundResult {
    /// What became of one call of the round.
    fn note(&mut self, answer: Result<Answered>, sent: Sent) {
        let error = match (answer, sent) {
            (Ok(Answered::Taken(taken)), Sent::Take(asked)) => {
                self.taken = Some((asked, taken));
                return;
            }
            (Ok(_), _) => return,
            (Err(error), Sent::Reports(reports)) => {
                self.reports = reports;
                error
            }
            (Err(error), Sent::Finishes(finishes)) => {
                self.finishes.extend(finishes);
                error
            }
            (Err(error), Sent::Take(asked)) => {
                // What was refused took nothing; of what got no answer nobody knows.
                self.unanswered = (asked.again || error.kind == Kind::MaybeApplied).then_some(asked);
                error
            }
        };
        self.error = Some(error);
    }
}

/// The result of what is under way, which is then no longer so; never, where nothing is.
async fn ended<T>(flight: &mut Option<InFlight<T>>) -> T {
    match flight {
        None => pending().await,
        Some(future) => {
            let result = future.await;
            *flight = None;
            result
        }
    }
}

/// That moment, if there is one.
async fn at(moment: Option<Instant>) {
    match moment {
        None => pending().await,
        Some(moment) => sleep_until(moment).await,
    }
}
