use tokio::sync::oneshot;

use super::*;
use crate::settings::{Environment, Options};

fn topic() -> Topic {
    Topic::Shard("channel".into())
}

fn node(port: u16) -> Address {
    Address { host: "127.0.0.1".into(), port }
}

/// A channel that is subscribed at one node, according to a map that names another: the number of its connection. The tasks that
/// dial do not run, since the test does not wait.
fn misplaced() -> (Router, u64) {
    let settings = Arc::new(Settings::resolve(Options::default(), &Environment(Default::default())).unwrap().settings);
    let dialler = Arc::new(Dialler::new(settings.clone(), settings.driver));
    let cluster = Arc::new(Cluster::new(settings.clone(), dialler.clone(), &[], Arc::default()));
    let registry = Arc::<Registry>::default();
    registry.add(&topic(), 1, Arc::new(|_| {}), oneshot::channel().0);
    cluster.give_all(node(1));
    let mut router = Router::new(Shards { settings, dialler, cluster, registry }, mpsc::unbounded_channel().0);
    router.subscribe(topic());
    let number = router.connections[&node(1)].number;
    router.parts.cluster.give_all(node(2));
    (router, number)
}

fn connected(router: &Router) -> Vec<u16> {
    router.connections.keys().map(|address| address.port).collect()
}

#[tokio::test]
async fn a_channel_is_subscribed_at_its_new_owner_once_the_former_delivers_no_more() {
    let (mut router, former) = misplaced();
    router.leave(vec![topic()]);
    assert!(connected(&router).is_empty());
    // Another listener does not change that, nor does a map that comes meanwhile, nor another connection.
    router.subscribe(topic());
    router.refreshed(Ok(()));
    router.left(former + 1, topic(), Departure::Requested);
    assert!(connected(&router).is_empty());
    router.left(former, topic(), Departure::Requested);
    assert_eq!(connected(&router), [2]);
}

#[tokio::test]
async fn a_channel_is_subscribed_at_its_new_owner_if_the_connection_to_the_former_ends() {
    let (mut router, former) = misplaced();
    router.leave(vec![topic()]);
    router.ended(former, None);
    assert_eq!(connected(&router), [2]);
}
