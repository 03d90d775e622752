use std::sync::atomic::{AtomicUsize, Ordering};

use cinnabar_port::{Call, Request};
use tokio::{sync::mpsc, task::JoinHandle, time::sleep};

use super::*;
use crate::{
    features::queue::{Counts, NewJob, Options as QueueOptions, State},
    store::{Engine, Store},
};

/// A store, a queue, and workers on it.
struct Fixture {
    store: Arc<Store>,
    queue: Queue,
}

/// A worker and its notices.
struct TestWorker {
    worker: Arc<Worker>,
    notices: mpsc::UnboundedReceiver<Notice>,
    task: JoinHandle<Vec<String>>,
}

fn fixture() -> Fixture {
    let engine = cinnabar_memory::Engine::new(16 << 20).unwrap();
    let queue = Queue::new("q", QueueOptions::default()).unwrap();
    Fixture { store: Arc::new(Store::over(Engine::Memory(engine))), queue }
}

impl Fixture {
    async fn ask<T: Send + 'static>(&self, call: Call<T>) -> T {
        self.store.call(call, Instant::now() + Duration::from_secs(5)).await.unwrap()
    }

    async fn add(&self, count: usize, change: impl Fn(&mut NewJob)) {
        let jobs = (0..count).map(|index| {
            let mut job = NewJob::new("n", index.to_string());
            job.id = Some(format!("j{index}"));
            change(&mut job);
            job
        });
        self.ask(self.queue.add_many(jobs.collect()).unwrap()).await;
    }

    async fn counts(&self) -> Counts {
        self.ask(self.queue.counts()).await
    }

    async fn until(&self, what: &str, reached: impl Fn(Counts) -> bool) {
        for _ in 0..1000 {
            if reached(self.counts().await) {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("timed out waiting until {what}: {:?}", self.counts().await);
    }

    /// When the lease on a job ends, in epoch milliseconds.
    async fn ends(&self, id: &'static str) -> f64 {
        let ends = Request::keyed(
            "ZSCORE",
            [Bytes::from_static(b"queue:{queue:q}:leased"), Bytes::from_static(id.as_bytes())],
        );
        let ends =
            Call::new(ends, |reply| Ok(reply.bulk()?.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok())));
        self.ask(ends).await.unwrap_or(0.0)
    }

    /// Waits until the lease on a job has been renewed once more.
    async fn renewed(&self, id: &'static str) {
        let before = self.ends(id).await;
        while self.ends(id).await <= before {
            sleep(Duration::from_millis(2)).await;
        }
    }

    fn start_worker(&self, concurrency: usize, lease: Duration) -> TestWorker {
        let rules = Rules { concurrency, lease, prefetch: true, max_bytes: 1 << 20 };
        let options = Options { rules, limits: Limits::default(), timeout: Duration::from_secs(5) };
        let worker = Worker::new(self.queue.clone(), options).unwrap();
        let (sender, notices) = mpsc::unbounded_channel();
        let notify = move |notice| {
            let _ = sender.send(notice);
        };
        let running = worker.clone().run(self.store.clone(), notify, std::future::pending(), std::future::pending());
        TestWorker { worker, notices, task: tokio::spawn(running) }
    }
}

impl TestWorker {
    /// Runs jobs until there were so many and none has come for a while; returns their data in order.
    async fn work(&mut self, count: usize) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            while let Some((number, job)) = self.worker.begin() {
                seen.push(String::from_utf8(job.data.to_vec()).unwrap());
                assert!(self.worker.end(number, Ok(job.data)));
            }
            let patience = if seen.len() < count { 20_000 } else { 300 };
            if tokio::time::timeout(Duration::from_millis(patience), self.notices.recv()).await.is_err() {
                return seen;
            }
        }
    }

    /// Waits for the next job.
    async fn next(&mut self) -> (u64, Leased) {
        loop {
            if let Some(begun) = self.worker.begin() {
                return begun;
            }
            self.notices.recv().await.unwrap();
        }
    }

    async fn close(self, patience: Duration) -> Vec<String> {
        self.worker.close(Some(patience));
        tokio::time::timeout(Duration::from_secs(5), self.task).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn runs_the_jobs_of_a_queue_in_order_and_leaves_no_leases() {
    let fixture = fixture();
    fixture.add(1000, |_| {}).await;
    let mut worker = fixture.start_worker(1, Duration::from_secs(10));
    let seen = worker.work(1000).await;
    assert_eq!(seen, (0..1000).map(|index| index.to_string()).collect::<Vec<_>>());
    fixture.until("all are sender", |counts| counts.active == 0).await;
    assert_eq!(worker.close(Duration::ZERO).await, Vec::<String>::new());
    assert_eq!(fixture.counts().await.ready, 0);
}

#[tokio::test]
async fn is_woken_by_added_jobs() {
    let fixture = fixture();
    let mut worker = fixture.start_worker(2, Duration::from_secs(10));
    assert!(worker.work(0).await.is_empty());
    fixture.add(3, |_| {}).await;
    let begun = Instant::now();
    worker.next().await;
    // One that is not woken looks again after ten seconds.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn renews_its_leases_while_jobs_run() {
    let fixture = fixture();
    fixture.add(1, |_| {}).await;
    let mut worker = fixture.start_worker(1, Duration::from_secs(1));
    let (number, _) = worker.next().await;
    let mut other = fixture.start_worker(1, Duration::from_secs(1));
    assert!(other.work(0).await.is_empty());
    // Each lasts a third of the lease: three leases long.
    for _ in 0..9 {
        fixture.renewed("j0").await;
    }
    assert!(other.worker.begin().is_none());
    assert!(worker.worker.end(number, Ok(Bytes::new())));
    fixture.until("it is done", |counts| counts.done == 1).await;
    assert_eq!(fixture.ask(fixture.queue.get("j0").unwrap()).await.unwrap().crashes, 0);
}

#[tokio::test]
async fn jobs_of_a_dropped_worker_are_taken_by_another() {
    let fixture = fixture();
    fixture.add(1, |_| {}).await;
    let mut worker = fixture.start_worker(1, Duration::from_secs(1));
    worker.next().await;
    worker.task.abort();
    let mut other = fixture.start_worker(1, Duration::from_secs(1));
    let (_, job) = other.next().await;
    assert_eq!((job.attempt, job.crashes, job.exclusive), (1, 0, false), "its start was not reported");
    other.task.abort();
    let mut last = fixture.start_worker(1, Duration::from_secs(1));
    let (_, job) = last.next().await;
    assert_eq!((job.attempt, job.crashes, job.exclusive), (1, 1, false), "this time its start was stored first");
}

#[tokio::test]
async fn a_job_whose_start_was_reported_is_charged_and_runs_exclusively_from_its_second_crash_on() {
    let fixture = fixture();
    fixture.add(2, |_| {}).await;
    let lease = Duration::from_secs(1);
    let mut worker = fixture.start_worker(2, lease);
    worker.next().await;
    while fixture.ask(fixture.queue.get("j0").unwrap()).await.unwrap().started_ms.is_none() {
        sleep(Duration::from_millis(2)).await;
    }
    worker.task.abort();
    let mut second = fixture.start_worker(2, lease);
    for (id, crashes) in [("j0", 1), ("j1", 0)] {
        let (_, job) = second.next().await;
        assert_eq!((job.id.as_str(), job.crashes, job.exclusive), (id, crashes, false), "they run beside each other");
    }
    second.task.abort();
    let mut third = fixture.start_worker(1, lease);
    let (number, job) = third.next().await;
    assert_eq!((job.id.as_str(), job.crashes, job.exclusive), ("j0", 2, true));
    let mut other = fixture.start_worker(2, lease);
    let (beside, job) = other.next().await;
    assert_eq!((job.id.as_str(), job.crashes, job.exclusive), ("j1", 1, false), "once is no reason");
    assert!(third.worker.end(number, Ok(Bytes::new())) && other.worker.end(beside, Ok(Bytes::new())));
    fixture.until("all are done", |counts| counts.done == 2).await;
}

#[tokio::test]
async fn nothing_is_taken_beside_a_job_that_runs_exclusively() {
    let fixture = fixture();
    fixture.add(1, |_| {}).await;
    let lease = Duration::from_secs(1);
    for _ in 0..2 {
        let mut worker = fixture.start_worker(2, lease);
        worker.next().await;
        while fixture.ask(fixture.queue.get("j0").unwrap()).await.unwrap().started_ms.is_none() {
            sleep(Duration::from_millis(2)).await;
        }
        worker.task.abort();
    }
    let mut worker = fixture.start_worker(2, lease);
    let (exclusive, job) = worker.next().await;
    assert!(job.exclusive);
    fixture.ask(fixture.queue.add(NewJob::new("n", "later")).unwrap()).await;
    // It is woken for the job that was added, and its scheduler runs with each renewal.
    for _ in 0..3 {
        fixture.renewed("j0").await;
        assert!(worker.worker.begin().is_none(), "nothing runs beside it");
    }
    assert!(worker.worker.end(exclusive, Ok(Bytes::new())));
    assert_eq!(worker.next().await.1.data, "later");
}

#[tokio::test]
async fn a_clock_that_is_set_forward_costs_no_worker_its_job() {
    let fixture = fixture();
    fixture.add(1, |_| {}).await;
    let mut worker = fixture.start_worker(2, Duration::from_secs(1));
    let (number, _) = worker.next().await;
    let mut other = fixture.start_worker(2, Duration::from_secs(1));
    // Longer than a lease: a worker that has watched the clock for half a lease takes over expired leases.
    sleep(Duration::from_millis(1100)).await;
    fixture.store.advance(Duration::from_secs(11)).unwrap();
    assert!(other.work(0).await.is_empty());
    fixture.renewed("j0").await;
    // Longer than a lease again: after half of one the clock is trusted, and by then the job must be safe.
    sleep(Duration::from_millis(1100)).await;
    assert!(other.work(0).await.is_empty() && worker.worker.begin().is_none());
    assert!(worker.worker.end(number, Ok(Bytes::new())));
    fixture.until("it is done", |counts| counts.done == 1).await;
    assert_eq!(fixture.ask(fixture.queue.get("j0").unwrap()).await.unwrap().crashes, 0);
}

#[tokio::test]
async fn ends_jobs_at_their_timeout() {
    let fixture = fixture();
    fixture.add(1, |job| (job.timeout, job.attempts) = (Duration::from_millis(50), 1)).await;
    let mut worker = fixture.start_worker(1, Duration::from_secs(10));
    let (number, _) = worker.next().await;
    fixture.until("it is dead", |counts| counts.dead == 1).await;
    assert!(!worker.worker.end(number, Ok(Bytes::new())));
    let job = fixture.ask(fixture.queue.get("j0").unwrap()).await.unwrap();
    assert_eq!(job.state, State::Dead);
    assert!(String::from_utf8_lossy(&job.error.unwrap()).contains("timed out after 50 ms"));
    assert!(matches!(worker.notices.recv().await, Some(Notice::Died(n)) if n == number), "notified before it ends");
    assert!(matches!(worker.notices.recv().await, Some(Notice::Ended(n, EndReason::TimedOut)) if n == number));
}

#[tokio::test]
async fn releases_jobs_that_are_not_started_and_takes_no_more() {
    let fixture = fixture();
    fixture.add(5, |_| {}).await;
    let mut worker = fixture.start_worker(3, Duration::from_secs(10));
    fixture.until("some are taken", |counts| counts.active == 3).await;
    fixture.until("they are back", |counts| counts.ready == 5).await;
    // Three times as long as it takes until they are released: by then more would have been taken.
    sleep(Duration::from_millis(300)).await;
    assert_eq!(fixture.counts().await.ready, 5, "none is started");
    assert_eq!(worker.work(5).await, ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn closing_returns_the_jobs_that_have_not_ended() {
    let fixture = fixture();
    fixture.add(3, |_| {}).await;
    let mut worker = fixture.start_worker(2, Duration::from_secs(10));
    let (first, _) = worker.next().await;
    let (_, second) = worker.next().await;
    worker.worker.close(Some(Duration::from_millis(100)));
    worker.worker.end(first, Ok(Bytes::new()));
    assert_eq!(worker.close(Duration::from_secs(5)).await, [second.id]);
    let Counts { ready, active, done, .. } = fixture.counts().await;
    assert_eq!((ready, active, done), (2, 0, 1));
}

#[tokio::test]
async fn a_removed_job_is_lost_with_the_next_renewal() {
    let fixture = fixture();
    fixture.add(1, |_| {}).await;
    let mut worker = fixture.start_worker(1, Duration::from_millis(300));
    let (number, _) = worker.next().await;
    assert!(fixture.ask(fixture.queue.remove("j0").unwrap()).await);
    while let Some(notice) = worker.notices.recv().await {
        if let Notice::Ended(ended, why) = notice {
            assert_eq!((ended, why), (number, EndReason::Lost));
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_polls_no_more_than_once_a_second() {
    let fixture = fixture();
    let asked = Arc::new(AtomicUsize::new(0));
    let worker = fixture.start_worker(1, Duration::from_secs(10));
    let counter = asked.clone();
    let watched = worker.worker.clone();
    let counting = tokio::spawn(async move {
        // The time of the next take changes with each take.
        let mut last = None;
        loop {
            let at = watched.scheduler.lock().next_at(Instant::now());
            if at != last {
                counter.fetch_add(1, Ordering::Relaxed);
                last = at;
            }
            sleep(Duration::from_millis(10)).await;
        }
    });
    sleep(Duration::from_secs(60)).await;
    let asked = asked.load(Ordering::Relaxed);
    assert!((50..=63).contains(&asked), "{asked} in a minute");
    counting.abort();
}
