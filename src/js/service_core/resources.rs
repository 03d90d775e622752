//! Resources: what JavaScript has opened and must end by id, such as subscriptions, listeners and memberships.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// The time in which resources must end whose service no longer exists.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Completes when a resource is known to have ended; `None` if it already has. Dropping it does not stop that.
pub type Ending = Option<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// Something open until it is ended.
pub trait Resource: Send + 'static {
    /// Ends it: starts what is necessary immediately, and tries nothing after the deadline, if there is one.
    fn end(self: Box<Self>, deadline: Option<Instant>) -> Ending;

    /// Whether it has ended on its own, so that it need not be stored.
    fn is_over(&self) -> bool {
        false
    }

    /// Whether `disconnect()` waits for one that is being opened, to end it before the process exits. Not necessary if it ends with the
    /// connection.
    fn outlives_connection() -> bool
    where
        Self: Sized,
    {
        false
    }
}

/// Resources that end together with their service, which is faster than one by one.
pub trait ResourceGroup: Any + Send + Sync {
    /// Ends all of its resources, as `Resource::end` does. They are still ended one by one, which then does nothing.
    fn end(&self, deadline: Instant) -> Ending;
}

/// The open resources of a service. They end with it.
#[derive(Default)]
pub struct Resources(Mutex<Open>);

#[derive(Default)]
struct Open {
    /// By id.
    resources: HashMap<u64, Box<dyn Resource>>,
    /// By their type and the address of what they share.
    groups: HashMap<(TypeId, usize), Arc<dyn ResourceGroup>>,
}

impl Resources {
    /// Stores a resource until it is taken.
    pub fn insert(&self, number: u64, resource: impl Resource) {
        self.0.lock().resources.insert(number, Box::new(resource));
    }

    /// Returns the only group for `shared`, which it holds until the service is closed.
    pub fn group<T, G: ResourceGroup>(&self, shared: &Arc<T>, make: impl FnOnce(Arc<T>) -> G) -> Arc<G> {
        let key = (TypeId::of::<G>(), Arc::as_ptr(shared).addr());
        let groups = &mut self.0.lock().groups;
        let known: Option<Arc<dyn Any + Send + Sync>> = groups.get(&key).map(|group| group.clone() as _);
        if let Some(group) = known.and_then(|group| group.downcast().ok()) {
            return group;
        }
        let group = Arc::new(make(shared.clone()));
        groups.insert(key, group.clone());
        group
    }

    /// Takes the resource with this id, to end it.
    pub fn take(&self, number: u64) -> Option<Box<dyn Resource>> {
        self.0.lock().resources.remove(&number)
    }

    /// Ends all resources. Returns their ids, and futures that complete when they are known to have ended.
    pub fn end_all(&self, deadline: Instant) -> (Vec<u64>, Vec<Ending>) {
        let Open { resources, groups } = std::mem::take(&mut *self.0.lock());
        let numbers = resources.keys().copied().collect();
        let mut endings: Vec<_> = groups.into_values().map(|group| group.end(deadline)).collect();
        endings.extend(resources.into_values().map(|resource| resource.end(Some(deadline))));
        (numbers, endings)
    }

    /// Ends the resource with this id, if there is one.
    pub fn end(&self, number: u64) {
        // Without the lock, because this may drop the last reference to a subscription or a store.
        if let Some(resource) = self.take(number) {
            drop(resource.end(None));
        }
    }

    /// Ends the resource with this id if it is over.
    pub fn end_if_over(&self, number: u64) {
        let is_over = self.0.lock().resources.get(&number).is_some_and(|resource| resource.is_over());
        if is_over {
            self.end(number);
        }
    }
}

impl Drop for Resources {
    fn drop(&mut self) {
        drop(self.end_all(Instant::now() + END_TIMEOUT));
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
        assert_eq!(ended.load(Ordering::Relaxed), 1, "only the one that is over");
        for number in [1, 1, 2, 9] {
            resources.end(number);
        }
        assert_eq!(ended.load(Ordering::Relaxed), 2);
        drop(resources);
        assert_eq!(ended.load(Ordering::Relaxed), 4, "the others end with the service");
    }

    struct All(Arc<AtomicUsize>);

    impl ResourceGroup for All {
        fn end(&self, _: Instant) -> Ending {
            self.0.fetch_add(1, Ordering::Relaxed);
            None
        }
    }

    #[test]
    fn there_is_one_group_per_shared_value() {
        let resources = Resources::default();
        let shared = [(); 2].map(|()| Arc::new(AtomicUsize::new(0)));
        let groups = [0, 1, 0, 1].map(|at| resources.group(&shared[at], All));
        assert!(Arc::ptr_eq(&groups[0], &groups[2]) && !Arc::ptr_eq(&groups[0], &groups[1]));
        drop(resources);
        assert_eq!(shared.map(|ended| ended.load(Ordering::Relaxed)), [1, 1]);
    }
}
