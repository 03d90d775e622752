//! The worker's task, which makes the calls to the store.

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
    Notice, StoreOptions, Worker,
    outbox::Notes,
    repeats::{PollResult, Repeats},
    scheduler::{Round, RoundResult, TakeRequest},
};
use crate::{
    agents::{clock_monitor::ClockMonitor, eviction, publish_denials, subscription::ChannelSubscription},
    features::queue::{Finish, JobLease, Published, Take, Taken},
    store::Store,
};

/// The most items of one script run.
const FINISHES: usize = 100;
const RENEWALS: usize = 500;
/// The shortest timeout of a renewal.
const LEAST_PATIENCE: Duration = Duration::from_millis(200);
/// How long the task sleeps if nothing is due.
const NEVER: Duration = Duration::from_secs(3600);

/// A future in slot.
type InFlight<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the scheduler wants to be done now.
struct DueWork {
    notices: Vec<Notice>,
    next_round: Option<Round>,
    next_beat: Option<Vec<(u64, JobLease)>>,
    until: Instant,
    gives_up_at: Option<Instant>,
    over: bool,
}

/// The part of a round that one call is for.
enum Part {
    Reports(Vec<(u64, Notes)>),
    Finishes(Vec<Finish>),
    Take(TakeRequest),
}

/// The reply to one call. A job that was finished too late is found lost by the next renewal.
enum PartReply {
    Reported,
    Finished(Published),
    Taken(Taken),
}

impl Worker {
    /// Runs until the worker is closed, by itself or by `closing`; ends immediately at `cut`. Calls `notify` with what
    /// JavaScript has to know. Returns the ids of the jobs that have not ended.
    pub async fn run(
        self: Arc<Self>,
        store: Arc<Store>,
        notify: impl Fn(Notice) + Send,
        closing: impl Future<Output = ()> + Send,
        cut: impl Future<Output = ()> + Send,
    ) -> Vec<String> {
        let _hearing = self.subscribe(&store);
        let _watcher = self.watch(&store);
        let (mut closing, mut cut) = (pin!(closing), pin!(cut));
        let (mut asked_to_close, mut asked_to_stop) = (false, false);
        let (mut round, mut renew) = (None::<InFlight<RoundResult>>, None::<InFlight<Option<Vec<u64>>>>);
        let mut eviction = Some::<InFlight<()>>(Box::pin(eviction::report(store.clone())));
        let (mut repeats, mut poll) = (Repeats::new(Instant::now()), None::<InFlight<PollResult>>);
        loop {
            let DueWork { notices, next_round, next_beat, until, gives_up_at, over } = self.due_work();
            notices.into_iter().for_each(&notify);
            if over {
                break;
            }
            if let Some(next) = next_round {
                round = Some(Box::pin(self.clone().send_round(store.clone(), next)));
            }
            if let Some(leases) = next_beat {
                renew = Some(Box::pin(self.clone().renew(store.clone(), leases)));
            }
            let may_poll = poll.is_none() && !self.scheduler.lock().is_closing();
            if may_poll && let Some(at) = repeats.begin(Instant::now()) {
                poll = Some(Box::pin(self.clone().fire(store.clone(), at)));
            }
            let until = if may_poll && poll.is_none() { until.min(repeats.next_at()) } else { until };
            tokio::select! {
                result = ended(&mut round) => {
                    if let Some((_, taken)) = &result.taken {
                        repeats.found(taken, Instant::now());
                    }
                    let notices = self.scheduler.lock().round_ended(result, Instant::now());
                    notices.into_iter().for_each(&notify);
                    // The embedded engine replies immediately: other tasks on this thread would have to wait as long
                    // as there are jobs.
                    yield_now().await;
                }
                lost = ended(&mut renew) => {
                    let notices = self.scheduler.lock().renewed(lost, Instant::now());
                    notices.into_iter().for_each(&notify);
                }
                polled = ended(&mut poll) => {
                    let now = Instant::now();
                    let (added, failed) = repeats.ended(polled, now);
                    failed.map(Notice::Failing).into_iter().for_each(&notify);
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
    fn due_work(&self) -> DueWork {
        let now = Instant::now();
        let mut scheduler = self.scheduler.lock();
        let notices = scheduler.tick(now);
        let (next_round, next_beat) = (scheduler.round(now), scheduler.renew(now));
        let until = scheduler.next_at(now).unwrap_or(now + NEVER);
        scheduler.arm(until);
        DueWork {
            notices,
            next_round,
            next_beat,
            until,
            gives_up_at: scheduler.gives_up_at(),
            over: scheduler.is_over(),
        }
    }

    /// Sends a round to the store.
    async fn send_round(self: Arc<Self>, store: Arc<Store>, round: Round) -> RoundResult {
        let mut result = RoundResult::default();
        let calls = self.calls(round, &mut result);
        store
            .run(calls, Instant::now() + self.options.timeout, |results| {
                for (reply, part) in results {
                    if let Ok(PartReply::Finished(published)) = &reply {
                        publish_denials::record(&store, &self.queue, *published);
                    }
                    result.note(reply, part);
                }
            })
            .await;
        if let Some((TakeRequest { again: false, .. }, taken)) = &result.taken {
            self.clock().after_read(taken.now_ms, self.options.lease, Instant::now());
            publish_denials::record(&store, &self.queue, taken.published);
        }
        result
    }

    /// The calls of a round, in its order. A call that cannot be built fails immediately.
    fn calls(&self, round: Round, result: &mut RoundResult) -> Vec<(Call<PartReply>, Part)> {
        let Round { reports, finishes, take } = round;
        let mut made = Vec::new();
        if !reports.is_empty() {
            let all = reports.iter().flat_map(|(_, notes)| notes.reports()).collect();
            made.push((self.queue.report(all).map(|call| call.map(|()| PartReply::Reported)), Part::Reports(reports)));
        }
        for some in finishes.chunks(FINISHES) {
            let call = self.queue.finish(some.to_vec());
            let call = call.map(|call| call.map(|(_, published)| PartReply::Finished(published)));
            made.push((call, Part::Finishes(some.to_vec())));
        }
        if let Some(asked) = take {
            let StoreOptions { lease, limits, .. } = self.options;
            let overdue = self.clock().before_read(lease, Instant::now());
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
                found.map(|call| call.map(|jobs| PartReply::Taken(Taken { jobs, ..Taken::default() })))
            } else {
                self.queue.take(&ask).map(|call| call.map(PartReply::Taken))
            };
            made.push((call, Part::Take(asked)));
        }
        let mut calls = Vec::with_capacity(made.len());
        for (call, part) in made {
            match call {
                Ok(call) => calls.push((call, part)),
                Err(error) => result.note(Err(error), part),
            }
        }
        calls
    }

    /// Renews leases. Returns the numbers of the jobs that are lost, or `None` if the store did not reply.
    async fn renew(self: Arc<Self>, store: Arc<Store>, leases: Vec<(u64, JobLease)>) -> Option<Vec<u64>> {
        let (mut lost, mut failed, mut calls) = (Vec::new(), false, Vec::new());
        for some in leases.chunks(RENEWALS) {
            let (numbers, leases): (Vec<_>, Vec<_>) = some.iter().cloned().unzip();
            match self.queue.renew(self.options.lease, leases) {
                Ok(call) => calls.push((call, numbers)),
                Err(_) => failed = true,
            }
        }
        // A renewal without a reply must leave time for another one within the lease.
        let patience = self.options.timeout.min((self.options.lease / 3).max(LEAST_PATIENCE));
        store
            .run(calls, Instant::now() + patience, |results| {
                for (reply, numbers) in results {
                    match reply {
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

    /// Subscribes to wake-ups.
    fn subscribe(self: &Arc<Self>, store: &Arc<Store>) -> ChannelSubscription {
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

    /// Continues immediately when the store becomes reachable again.
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
    /// Adds the outcome of one call of the round.
    fn note(&mut self, reply: Result<PartReply>, part: Part) {
        let error = match (reply, part) {
            (Ok(PartReply::Taken(taken)), Part::Take(asked)) => {
                self.taken = Some((asked, taken));
                return;
            }
            (Ok(_), _) => return,
            (Err(error), Part::Reports(reports)) => {
                self.reports = reports;
                error
            }
            (Err(error), Part::Finishes(finishes)) => {
                self.finishes.extend(finishes);
                error
            }
            (Err(error), Part::Take(asked)) => {
                // A rejected take took nothing; the outcome of one without a reply is unknown.
                self.lost_take = (asked.again || error.kind == Kind::MaybeApplied).then_some(asked);
                error
            }
        };
        self.error = Some(error);
    }
}

/// Awaits the future, then clears it. Without one, never resolves.
async fn ended<T>(in_flight: &mut Option<InFlight<T>>) -> T {
    match in_flight {
        None => pending().await,
        Some(future) => {
            let result = future.await;
            *in_flight = None;
            result
        }
    }
}

/// Sleeps until `moment`. Without one, never resolves.
async fn at(moment: Option<Instant>) {
    match moment {
        None => pending().await,
        Some(moment) => sleep_until(moment).await,
    }
}
