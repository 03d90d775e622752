//! Connections that are bound to sessions, and events of sessions: agents that fill an inbox for a JavaScript reader.

use std::{sync::Arc, time::Duration};

use cinnabar_core::{
    agents::connections::{Binding, Connections},
    features::session::Ending as SessionEnding,
    inbox::{Bounds, Entry, Inbox, Label},
    output::Output,
    store::Store,
};
use cinnabar_port::{Call, Delivery, MessageListener, Topic};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;
use tokio::time::Instant;

use super::{Sessions, id_of, user_of};
use crate::js::{
    node_api::{Js, RawValue, Value},
    operation::{Empty, Operation},
    service_core::{Ending, Opening, Reader, Resource, ResourceGroup},
    time::iso_now,
};

/// What all bound connections of a manager share.
pub struct BindOptions {
    /// How long a connection may stay open without its session being read.
    pub lease: Duration,
}

/// The bound connections of a service, which end together.
pub struct ServiceConnections(Arc<Connections>);

impl ResourceGroup for ServiceConnections {
    fn end(&self, _: Instant) -> Ending {
        Some(Box::pin(self.0.unbind_all()))
    }
}

struct Bound {
    connections: Arc<Connections>,
    id: String,
    inbox: Arc<Inbox>,
}

impl Resource for Bound {
    fn end(self: Box<Self>, _: Option<Instant>) -> Ending {
        Some(Box::pin(self.connections.unbind(&self.id)))
    }

    fn is_over(&self) -> bool {
        self.inbox.is_ended()
    }

    fn outlives_connection() -> bool {
        // Its state is in the store until the lease has expired.
        true
    }
}

/// A subscription to the endings of sessions.
struct Listener {
    store: Arc<Store>,
    number: u64,
    inbox: Arc<Inbox>,
}

impl Resource for Listener {
    fn end(self: Box<Self>, _: Option<Instant>) -> Ending {
        self.store.unsubscribe(self.number);
        None
    }

    fn is_over(&self) -> bool {
        self.inbox.is_ended()
    }
}

#[napi]
impl Sessions {
    /// Whether there is a session with this id or token, for a connection that is to be bound to it: `{ userId, publicId }` or null.
    #[napi]
    pub fn bound(&self, env: Env, token: Unknown) -> RawValue {
        self.core.submit_output(env, Operation { name: "BIND SESSION", empty: None }, |js| {
            let Some(token) = id_of(js, token.raw())? else { return Ok(Call::ready(Output::Null)) };
            Ok(self.sessions.bound(&token, false)?.map(|session| {
                session.map_or(Output::Null, |session| {
                    Output::Object(vec![
                        ("userId".into(), session.user.map_or(Output::Null, Output::text)),
                        ("publicId".into(), Output::text(session.public_id)),
                    ])
                })
            }))
        })
    }

    /// Binds a connection to a session of this user, or of none; resolves to the id of the reader, which gets the reason when the session ends.
    #[napi]
    pub fn bind(
        &self,
        env: Env,
        token: Unknown,
        user: Unknown,
        id: Unknown,
        state: Unknown,
        reader: Unknown,
    ) -> RawValue {
        bind(self, &env, [token, user, id, state, reader].map(|value| value.raw()))
    }

    /// Replaces the application's fields in the state of a bound connection; false if it is not bound.
    #[napi]
    pub fn update_connection(&self, env: Env, id: Unknown, state: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "UPDATE CONNECTION", empty: None }, |js| {
            let id = js.text(id.raw(), "connectionId")?;
            let state = self.core.environment().stringify(js, state.raw(), "state")?;
            let open_store = self.core.open_store(js)?;
            self.connections(open_store.store()).update(&id, &state)
        })
    }

    /// Removes a bound connection by the id of its reader.
    #[napi]
    pub fn unbind(&self, env: Env, reader: f64) -> RawValue {
        self.core.end(Js(env.raw()), "UNBIND", reader as u64)
    }

    /// The bound connections of a user, in all processes.
    #[napi]
    pub fn connections_of(&self, env: Env, user: Unknown) -> RawValue {
        self.core.submit_output(env, self.core.operation("LIST CONNECTIONS", Empty::List), |js| {
            let Some(user) = user_of(js, user.raw())? else { return Ok(Call::ready(Output::List(Vec::new()))) };
            Ok(self.sessions.connections(&user)?.map(Output::json))
        })
    }

    /// Delivers endings of sessions; resolves to the id of the reader, by which it is ended.
    #[napi]
    pub fn listen(&self, env: Env, reader: Unknown) -> RawValue {
        listen(self, &env, reader.raw())
    }

    /// Ends `listen` by the id of its reader.
    #[napi]
    pub fn unsubscribe(&self, env: Env, reader: f64) -> RawValue {
        self.core.end(Js(env.raw()), "UNSUBSCRIBE", reader as u64)
    }
}

impl Sessions {
    /// Returns the bound connections of the service while it is open.
    fn connections(&self, store: &Arc<Store>) -> Arc<Connections> {
        let make = |options: Arc<BindOptions>| {
            let (sessions, patience) = (self.sessions.clone(), self.core.settings().timeout);
            ServiceConnections(Arc::new(Connections::new(store.clone(), sessions, options.lease, patience)))
        };
        self.core.resources().group(&self.bind_options, make).0.clone()
    }
}

/// Binds a connection to a session, and notifies `reader` when that ends.
fn bind(sessions: &Sessions, env: &Env, [token, user, id, fields, reader]: [Value; 5]) -> RawValue {
    let js = Js(env.raw());
    let prepare = || {
        let (token, id) = (id_of(js, token)?.unwrap_or_default(), js.text(id, "connectionId")?);
        let user = if js.is_nothing(user) { None } else { Some(js.text(user, "userId")?) };
        let fields = sessions.core.environment().stringify(js, fields, "state")?;
        let binding = Binding { token, user, id, fields: fields.to_string(), connected_at: iso_now() };
        Ok((binding, Reader::new(js, reader, Bounds::default(), false)?))
    };
    let prepared = prepare();
    let opening = Opening { name: "BIND SESSION", late: "the connection was not bound within the time that was given" };
    sessions.core.open(js, opening, prepared, |(binding, reader), open_store, number| {
        let inbox = sessions.core.add_reader(js, number, reader);
        let connections = sessions.connections(open_store.store());
        async move {
            let id = binding.id.clone();
            connections.bind(binding, inbox.clone()).await?;
            Ok(Bound { connections, id, inbox })
        }
    })
}

/// Notifies `reader` of endings of sessions and rotations of their tokens, in any process.
fn listen(sessions: &Sessions, env: &Env, reader: Value) -> RawValue {
    let js = Js(env.raw());
    let prepared = Reader::new(js, reader, Bounds::default(), false);
    let opening = Opening { name: "SUBSCRIBE", late: "no subscription within the time that was given" };
    sessions.core.open(js, opening, prepared, |reader, open_store, number| {
        let inbox = sessions.core.add_reader(js, number, reader);
        let (store, topic) = (open_store.store().clone(), Topic::Channel(sessions.sessions.endings_channel()));
        let listener = listener(inbox.clone());
        async move {
            let number = store.subscribe(topic, listener).await?;
            Ok(Listener { store, number, inbox })
        }
    })
}

fn listener(inbox: Arc<Inbox>) -> MessageListener {
    Arc::new(move |delivery| match delivery {
        Delivery::Gap(missed) => inbox.push_gap(missed),
        // Messages of other programs are ignored.
        Delivery::Message(message) if SessionEnding::read(&message.payload).is_some() => {
            inbox.push(Entry { text: message.payload, label: Label::None });
        }
        Delivery::Message(_) => {}
    })
}
