//! What a service has opened for JavaScript and JavaScript ends by its number: subscriptions, listeners, memberships.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long resources may take to end whose service no longer exists.
const PARTING: Duration = Duration::from_secs(5);

/// Completes when a resource is known to have ended; `None` if that is now. Dropping it stops nothing.
pub type Ending = Option<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// Something open that lasts until it is ended.
pub trait Resource: Send + 'static {
    /// Ends it, and starts at once whatever that takes. With a deadline, nothing is tried any more after it.
    fn end(self: Box<Self>, deadline: Option<Instant>) -> Ending;

    /// Whether nothing can come of it any more, so that it need not be kept.
    fn is_over(&self) -> bool {
        false
    }

    /// Whether `disconnect()` waits for one that is being opened, to end it before the process may exit. Not needed where it
    /// ends with the connection.
    fn outlives_connection() -> bool
    where
        Self: Sized,
    {
        false
    }
}

/// What a resource is found by.
#[derive(PartialEq, Eq, Hash)]
pub enum Key {
    /// The number that JavaScript knows.
    Number(u64),
    /// The address of what the resource keeps alive, of which a service needs only one.
    Address(usize),
}

/// The open resources of a service. They end with it.
#[derive(Default)]
pub struct Resources(Mutex<HashMap<Key, Box<dyn Resource>>>);

impl Resources {
    /// Keeps a resource until it is taken.
    pub fn insert(&self, number: u64, resource: impl Resource) {
        self.lock().insert(Key::Number(number), Box::new(resource));
    }

    /// Keeps one resource for `shared`, which it holds, until the service is closed.
    pub fn insert_once<T, R: Resource>(&self, shared: &Arc<T>, make: impl FnOnce(Arc<T>) -> R) {
        let key = Key::Address(Arc::as_ptr(shared).addr());
        self.lock().entry(key).or_insert_with(|| Box::new(make(shared.clone())));
    }

    /// The resource of this number, to end it.
    pub fn take(&self, number: u64) -> Option<Box<dyn Resource>> {
        self.lock().remove(&Key::Number(number))
    }

    /// All resources, to end them.
    pub fn take_all(&self) -> HashMap<Key, Box<dyn Resource>> {
        std::mem::take(&mut *self.lock())
    }

    /// Ends the resource of this number, if there is one.
    pub fn end(&self, number: u64) {
        // No lock is held by then: it may be the last that holds a subscription or a store.
        if let Some(resource) = self.take(number) {
            drop(resource.end(None));
        }
    }

    /// Ends the resource of this number if nothing can come of it any more.
    pub fn end_if_over(&self, number: u64) {
        let is_over = self.lock().get(&Key::Number(number)).is_some_and(|resource| resource.is_over());
        if is_over {
            self.end(number);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Box<dyn Resource>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Resources {
    fn drop(&mut self) {
        for resource in self.take_all().into_values() {
            drop(resource.end(Some(Instant::now() + PARTING)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts how often resources like it were ended.
    struct Counted {
        ended: Arc<AtomicUsize>,
        is_over: bool,
    }

    impl Resource for Counted {
        fn end(self: Box<Self>, _: Option<Instant>) -> Ending {
            self.ended.fetch_add(1, Ordering::Relaxed);
            None
        }

        fn is_over(&self) -> bool {
            self.is_over
        }
    }

    #[test]
    fn each_resource_ends_once() {
        let (resources, ended) = (Resources::default(), Arc::new(AtomicUsize::new(0)));
        for number in 1..=4 {
            resources.insert(number, Counted { ended: ended.clone(), is_over: number == 2 });
            resources.end_if_over(number);
        }
        assert_eq!(ended.load(Ordering::Relaxed), 1, "only what is over");
        for number in [1, 1, 2, 9] {
            resources.end(number);
        }
        assert_eq!(ended.load(Ordering::Relaxed), 2);
        drop(resources);
        assert_eq!(ended.load(Ordering::Relaxed), 4, "the others end with the service");
    }

    #[test]
    fn one_is_kept_for_what_is_shared() {
        let (resources, ended) = (Resources::default(), Arc::new(AtomicUsize::new(0)));
        let shared = [Arc::new(0), Arc::new(0)];
        for shared in shared.iter().cycle().take(6) {
            resources.insert_once(shared, |_| Counted { ended: ended.clone(), is_over: false });
        }
        assert_eq!(resources.take_all().len(), 2);
        assert_eq!(ended.load(Ordering::Relaxed), 0);
    }
}
