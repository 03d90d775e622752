//! Who is in a room while processes come, die, pause and leave, on both engines.

use std::{
    cell::Cell,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use cinnabar_core::{
    agents::presence::{Member, Presence},
    features::{
        Takeover,
        room::{Options, Rooms, changes},
    },
    store::Store,
};
use cinnabar_port::{Call, Delivery, Request, Topic, Verb, error::Result, runtime};
use cinnabar_redis::settings::{self, Environment, Settings};
use tokio::time::{Instant, sleep};

use crate::server::Server;

const LEASE: Duration = Duration::from_millis(600);
const PATIENCE: Duration = Duration::from_secs(5);

/// A store of its own, of one engine or the other.
struct Fixture {
    store: Arc<Store>,
    rooms: Arc<Rooms>,
    _server: Option<Server>,
}

impl Fixture {
    fn new(url: String, server: Option<Server>) -> Self {
        let options = settings::Options { url: Some(url), ..settings::Options::default() };
        let settings = Settings::resolve(options, &Environment(Default::default())).unwrap().settings;
        let rooms = Arc::new(Rooms::new(Options::default()).unwrap());
        Self { store: Arc::new(Store::new(&settings).unwrap()), rooms, _server: server }
    }

    /// As if it were a process of its own.
    fn process(&self) -> Arc<Presence> {
        self.process_with(PATIENCE)
    }

    /// The same with this timeout for its calls.
    fn process_with(&self, timeout: Duration) -> Arc<Presence> {
        Arc::new(Presence::new(self.store.clone(), self.rooms.clone(), LEASE, timeout))
    }

    async fn call<T: Send + 'static>(&self, call: Call<T>) -> T {
        self.store.call(call, Instant::now() + PATIENCE).await.unwrap()
    }

    async fn users(&self, room: &str) -> String {
        let users = self.call(self.rooms.users(room).unwrap()).await;
        let users: indexmap::IndexMap<String, serde_json::Value> = serde_json::from_slice(&users).unwrap();
        let mut names: Vec<_> = users.into_keys().collect();
        names.sort();
        names.join(" ")
    }

    async fn raw(&self, words: &[&str]) -> cinnabar_port::Reply {
        let args = words[1..].iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        let mut request = Request::with_keys("", args, 1);
        request.verb = Verb::Custom(words[0].to_owned());
        self.call(Call::new(request, Ok)).await
    }

    async fn keys(&self) -> Vec<String> {
        let keys = self.raw(&["KEYS", "*"]).await.array().unwrap().into_iter();
        let mut keys: Vec<_> =
            keys.map(|key| String::from_utf8(key.bulk().unwrap().unwrap().to_vec()).unwrap()).collect();
        keys.sort();
        keys
    }

    /// A process that has died: what it did stays, and nothing renews its lease.
    async fn dead(&self, members: &[(&str, &str)], lease: Duration) -> &'static str {
        let process_id = "dead";
        self.call(self.rooms.create_lease(process_id, Duration::from_secs(60))).await;
        for (number, (room, user)) in members.iter().enumerate() {
            let membership = self.rooms.membership(room, user, "{}", "t", number as u64).unwrap();
            assert!(self.call(self.rooms.register(process_id, &membership.room)).await);
            self.call(self.rooms.join(process_id, &membership)).await;
        }
        assert!(self.call(self.rooms.renew_lease(process_id, lease, Takeover::ALLOWED)).await.has_lease);
        process_id
    }

    /// The changes published for a room, as `join ann`, `leave ann`, …
    async fn published(&self, room: &str) -> Arc<Mutex<Vec<String>>> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let list = heard.clone();
        let topic = Topic::Channel(self.rooms.changes_channel(room).unwrap());
        let listener = Arc::new(move |message| {
            if let Delivery::Message(message) = message {
                for change in changes(&message.payload).unwrap() {
                    let user = String::from_utf8_lossy(&change.user).into_owned();
                    list.lock().unwrap().push(format!("{} {user}", change.what.name()));
                }
            }
        });
        self.store.subscribe(topic, listener).await.unwrap();
        heard
    }
}

/// Runs a test on both engines.
fn on_both<F: Future<Output = ()>>(test: impl Fn(Fixture) -> F) {
    let server = Server::start();
    let url = format!("redis://127.0.0.1:{}", server.port);
    let name = cinnabar_name();
    runtime::get().unwrap().block_on(async {
        test(Fixture::new(format!("memory:{name}"), None)).await;
        test(Fixture::new(url, Some(server))).await;
    });
}

fn cinnabar_name() -> String {
    format!("{:?}", std::thread::current().id()).replace(|c: char| !c.is_ascii_alphanumeric(), "")
}

async fn join(process: &Arc<Presence>, room: &str, user: &str) -> Result<Member> {
    process.join(room, user, r#"{"a":1}"#, "2026-01-02").await
}

async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

fn taken(list: &Arc<Mutex<Vec<String>>>) -> String {
    list.lock().unwrap().drain(..).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_user_is_there_from_the_first_connection_to_the_last() {
    on_both(async |fixture| {
        let (here, there, published) = (fixture.process(), fixture.process(), fixture.published("x").await);
        let first = join(&here, "x", "ann").await.unwrap();
        let second = join(&there, "x", "ann").await.unwrap();
        let third = join(&here, "x", "ann").await.unwrap();
        let bob = join(&there, "x", "bob").await.unwrap();
        assert_eq!(fixture.users("x").await, "ann bob");
        here.leave(first.clone()).await;
        here.leave(first).await;
        there.leave(second).await;
        assert_eq!(fixture.users("x").await, "ann bob");
        here.leave(third).await;
        assert_eq!(fixture.users("x").await, "bob");
        until("all was published", || async { published.lock().unwrap().len() >= 3 }).await;
        assert_eq!(taken(&published), "join ann, join bob, leave ann");
        there.leave(bob).await;
        assert_eq!(fixture.users("x").await, "");
    });
}

#[test]
fn nothing_is_left_when_the_last_has_left() {
    on_both(async |fixture| {
        let process = fixture.process();
        let members = [join(&process, "x", "ann").await.unwrap(), join(&process, "y", "ann").await.unwrap()];
        for key in fixture.keys().await {
            assert!(fixture.raw(&["PTTL", &key]).await.int().unwrap() > 0, "{key} has no ttl");
        }
        for member in members {
            process.leave(member).await;
        }
        until("its lease is given up", || async { fixture.keys().await.iter().all(|key| key.contains(":gone:")) })
            .await;
        let again = join(&process, "x", "ann").await.unwrap();
        assert_eq!(fixture.users("x").await, "ann");
        process.leave_all(vec![again], Instant::now() + PATIENCE).await;
        assert!(fixture.keys().await.iter().all(|key| key.contains(":gone:")), "at once: {:?}", fixture.keys().await);
    });
}

#[test]
fn dead_processes_are_swept_and_the_count_is_right() {
    on_both(async |fixture| {
        let published = fixture.published("x").await;
        let here = fixture.process();
        join(&here, "x", "ann").await.unwrap();
        let ours: Vec<_> = (0..1200).map(|n| format!("user{n}")).collect();
        let mut all: Vec<_> = ours.iter().map(|user| ("x", user.as_str())).collect();
        all.extend([("x", "ann"), ("x", "ann"), ("y", "bob")]);
        let dead = fixture.dead(&all, LEASE).await;
        let begun = Instant::now();
        assert_eq!(fixture.call(fixture.rooms.count("x").unwrap()).await, 1201);
        let last_whole = Cell::new(begun);
        until("it is swept", || async {
            let asked = Instant::now();
            if fixture.call(fixture.rooms.count("x").unwrap()).await == 1201 {
                last_whole.set(asked);
            }
            fixture.users("x").await == "ann" && fixture.users("y").await.is_empty()
        })
        .await;
        // When it began: how long it takes is up to the machine.
        let begun_after = last_whole.get() - begun;
        assert!(begun_after < LEASE + LEASE / 2 + Duration::from_millis(500), "{begun_after:?}");
        assert_eq!(fixture.raw(&["HGET", "room:{room:x:users}:refs", "ann"]).await.int().unwrap(), 1);
        until("it is forgotten", || async {
            fixture.raw(&["ZSCORE", "room:{room:}:nodes", dead]).await.bulk().unwrap().is_none()
        })
        .await;
        until("all was published", || async { published.lock().unwrap().len() >= 2401 }).await;
        let published = published.lock().unwrap();
        assert_eq!(published.iter().filter(|one| one.starts_with("leave user")).count(), 1200);
        assert_eq!(published.iter().filter(|one| one.ends_with(" ann")).count(), 1);
    });
}

#[test]
fn a_process_that_only_watches_sweeps_too() {
    on_both(async |fixture| {
        fixture.dead(&[("x", "ann")], Duration::from_millis(50)).await;
        let process = fixture.process();
        let watching = process.watch();
        until("it is swept", || async { fixture.users("x").await.is_empty() }).await;
        drop(watching);
    });
}

#[test]
fn a_process_swept_by_mistake_registers_again() {
    on_both(async |fixture| {
        let (here, published) = (fixture.process(), fixture.published("x").await);
        let users: Vec<_> = (0..700).map(|n| format!("user{n}")).collect();
        let mut members = Vec::new();
        for user in &users {
            members.push(join(&here, if user.ends_with('7') { "y" } else { "x" }, user).await.unwrap());
        }
        // As if it had slept for longer than its lease while another swept.
        let [process_id] =
            <[_; 1]>::try_from(fixture.raw(&["ZRANGE", "room:{room:}:nodes", "0", "-1"]).await.array().unwrap())
                .unwrap();
        let process_id = String::from_utf8(process_id.bulk().unwrap().unwrap().to_vec()).unwrap();
        fixture.call(fixture.rooms.end_lease(&process_id, Vec::new())).await;
        let rooms = fixture.call(fixture.rooms.orphaned_rooms(&process_id, 10)).await;
        assert_eq!(rooms.len(), 2);
        for room in rooms {
            while fixture.call(fixture.rooms.sweep(&process_id, &room)).await.0 > 0 {}
        }
        // It may have noticed that already, and be registering its members again.
        let late = join(&here, "x", "late").await.unwrap();
        until("all are back", || async { fixture.call(fixture.rooms.count("x").unwrap()).await == 631 }).await;
        assert_eq!(fixture.call(fixture.rooms.count("y").unwrap()).await, 70);
        let ids = fixture.raw(&["ZRANGE", "room:{room:}:nodes", "0", "-1"]).await.array().unwrap();
        let ids: Vec<_> = ids.into_iter().map(|id| id.bulk().unwrap().unwrap()).collect();
        assert!(ids.iter().any(|id| id != process_id.as_bytes()), "it has another id: {ids:?}");
        here.leave(late).await;
        for member in members {
            here.leave(member).await;
        }
        assert_eq!(fixture.users("x").await + &fixture.users("y").await, "");
        until("all was published", || async { published.lock().unwrap().len() >= 4 * 630 + 2 }).await;
        let published = published.lock().unwrap();
        assert_eq!(published.iter().filter(|one| *one == "join user0").count(), 2);
        assert_eq!(published.iter().filter(|one| *one == "leave user0").count(), 2);
    });
}

#[test]
fn members_are_registered_again_after_a_loss_of_data() {
    on_both(async |fixture| {
        let here = fixture.process();
        let members = [join(&here, "x", "ann").await.unwrap(), join(&here, "y", "bob").await.unwrap()];
        fixture.raw(&["FLUSHALL"]).await;
        until("they are back", || async { fixture.users("x").await + &fixture.users("y").await == "annbob" }).await;
        // This join may come before it is known that the lease is lost: its membership under that is found nevertheless.
        fixture.raw(&["FLUSHALL"]).await;
        let cid = join(&here, "x", "cid").await.unwrap();
        until("they are back", || async { fixture.users("x").await + &fixture.users("y").await == "ann cidbob" }).await;
        let memberships = || async { fixture.keys().await.iter().filter(|key| key.contains("users}:node:")).count() };
        until("all is in order", || async { memberships().await == 2 }).await;
        assert_eq!(fixture.raw(&["HGET", "room:{room:x:users}:refs", "cid"]).await.int().unwrap(), 1);
        here.leave_all([&members[..], &[cid]].concat(), Instant::now() + PATIENCE).await;
        assert_eq!(fixture.users("x").await + &fixture.users("y").await, "");
    });
}

#[test]
fn nothing_is_left_when_many_leave_one_by_one() {
    // Six thousand calls at once are not to be cut off on a busy machine.
    let enough = 20 * PATIENCE;
    on_both(async |fixture| {
        for _ in 0..3 {
            let process = fixture.process_with(enough);
            let mut joining = tokio::task::JoinSet::new();
            for n in 0..3000 {
                let process = process.clone();
                joining.spawn(async move { join(&process, &format!("room{n}"), "ann").await.unwrap() });
            }
            let members = joining.join_all().await.into_iter();
            // Meanwhile the process may take a new id, and remove what it had under the former one.
            let leave = |member| process.leave_all(vec![member], Instant::now() + enough);
            for left in members.map(leave).collect::<Vec<_>>() {
                left.await;
            }
            // If it took a new id, what it had under the former one is removed a few at a time.
            let fixture = &fixture;
            until("nothing is left", || async move { fixture.keys().await.iter().all(|key| key.contains(":gone:")) })
                .await;
        }
    });
}

#[test]
fn one_room_that_cannot_be_joined_harms_no_other() {
    on_both(async |fixture| {
        let here = fixture.process();
        fixture.raw(&["SET", "room:bad:users", "text"]).await;
        assert_eq!(join(&here, "bad", "ann").await.unwrap_err().kind.code(), "E_WRONG_TYPE");
        assert_eq!(join(&here, "", "ann").await.unwrap_err().kind.code(), "E_INVALID_ARGUMENT");
        let ann = join(&here, "x", "ann").await.unwrap();
        fixture.dead(&[("y", "bob"), ("z", "bob")], Duration::from_millis(50)).await;
        fixture.raw(&["SET", "room:y:users", "text"]).await;
        until("the other is swept", || async { fixture.users("z").await.is_empty() }).await;
        assert_eq!(fixture.users("x").await, "ann");
        here.leave(ann).await;
    });
}

#[test]
fn a_documented_removal_is_not_undone_by_a_connection() {
    on_both(async |fixture| {
        let (here, published) = (fixture.process(), fixture.published("x").await);
        let first = join(&here, "x", "ann").await.unwrap();
        assert_eq!(fixture.call(fixture.rooms.remove_user("x", "ann").unwrap()).await.0, 1);
        here.leave(first).await;
        fixture.call(fixture.rooms.add_user("x", "ann", "{}", "t").unwrap()).await;
        let second = join(&here, "x", "ann").await.unwrap();
        here.leave(second).await;
        assert_eq!(fixture.users("x").await, "");
        until("all was published", || async { published.lock().unwrap().len() >= 5 }).await;
        assert_eq!(taken(&published), "join ann, leave ann, join ann, update ann, leave ann");
    });
}

#[test]
fn many_rooms_are_left_without_a_trace() {
    on_both(async |fixture| {
        let here = fixture.process();
        let mut members = Vec::new();
        for n in 0..2500 {
            members.push(join(&here, &format!("room{n}"), "ann").await.unwrap());
            if n >= 20 {
                here.leave(members.remove(0)).await;
            }
        }
        until("the rooms it has left are let go", || async {
            let keys = fixture.keys().await;
            let registered = keys.iter().filter(|key| key.starts_with("room:{room:}:rooms:"));
            let mut rooms = 0;
            for key in registered {
                rooms += fixture.raw(&["SCARD", key]).await.int().unwrap();
            }
            rooms < 1200
        })
        .await;
        assert_eq!(fixture.users("room2499").await, "ann");
        here.leave_all(members, Instant::now() + PATIENCE).await;
        until("all is swept", || async { fixture.keys().await.iter().all(|key| key.contains(":gone:")) }).await;
    });
}
