//! The native class `Service`: connection, commands, publishing and subscribing.

use std::time::Duration;

use cinnabar_core::{
    features::raw::{self, Shape, Strings},
    keys,
    output::Output,
};
use cinnabar_port::{
    Call, Status, Topology,
    error::{Error, Kind},
    runtime,
};
use cinnabar_redis::settings::{Driver, Listed, Server, Settings};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{
    args::LONGEST_MS,
    bridge::Bridge,
    completions::Completion,
    errors::closed,
    node_api::{Js, RawValue},
    open_store::OpenStore,
    operation::{Empty, Operation},
    options::{OnUnavailable, ServiceOptions},
    service_core::{Configuration, ServiceCore, disconnect},
    status, subscription,
};

/// A server or an embedded store with its settings.
#[napi]
pub struct Service {
    pub(super) core: ServiceCore,
}

#[napi]
impl Service {
    /// Validates the settings, without connecting.
    #[napi(constructor)]
    pub fn new(env: Env, bridge: &Bridge, options: Unknown, variables: Unknown) -> napi::Result<Self> {
        let js = Js(env.raw());
        let variables = js.variables(variables.raw());
        let read = js.service_options(bridge.environment(), options.raw()).and_then(|read| {
            let ServiceOptions { connection, on_unavailable, log, stacks, .. } = read;
            Ok((Settings::resolve(connection, &variables)?, on_unavailable, log, stacks))
        });
        let (resolved, policy, log, stacks) = read.map_err(|error| bridge.environment().exception(&env, &error))?;
        if resolved.settings.driver == Driver::Fred {
            runtime::reserve_deep_stack();
        }
        let by_environment = if variables.development() { OnUnavailable::Empty } else { OnUnavailable::Throw };
        let policy = policy.unwrap_or(by_environment);
        if stacks {
            bridge.environment().capture_stacks();
        }
        for (kind, words) in &resolved.hints {
            bridge.environment().warn_once(js, kind, words);
        }
        let configuration =
            Configuration { settings: resolved.settings, on_unavailable: policy, by_default: resolved.by_default, log };
        let core = ServiceCore::new(bridge.handle().clone(), configuration);
        bridge.register(&core);
        Ok(Self { core })
    }

    /// Whether no option or variable named a server.
    #[napi(getter)]
    pub fn by_default(&self) -> bool {
        self.core.by_default()
    }

    /// Connects, or waits for the connection.
    #[napi]
    pub fn connect(&self, env: Env) -> RawValue {
        let js = Js(env.raw());
        self.core.reopen();
        let open_store = match self.core.open_store(js) {
            Ok(open_store) => open_store,
            Err(error) => return RawValue(self.core.environment().rejected(js, &error)),
        };
        let (promise, ticket) = self.core.environment().promise(js, plain("CONNECT"));
        if let (Some(ticket), Ok(runtime)) = (ticket, runtime::get()) {
            let completions = self.core.environment().completions.clone();
            let within = self.core.limits_timeout();
            let in_flight = OpenStore::begin(open_store);
            runtime.spawn(async move {
                let timed_out = async {
                    match within {
                        None => std::future::pending().await,
                        Some(time) => tokio::time::sleep(time).await,
                    }
                };
                let connected = tokio::select! {
                    connected = in_flight.store().connect() => connected,
                    () = in_flight.closing() => Err(closed()),
                    () = timed_out => Err(Error::new(Kind::Unavailable, "no connection within the time that was given")),
                };
                completions.push(Completion::Calls(vec![(connected.map(Output::from), ticket)]));
            });
        }
        RawValue(promise)
    }

    /// Accepts no more calls, waits at most `drainMs` for those in flight, and releases the connection, which ends with the last service
    /// that shares it.
    #[napi]
    pub fn disconnect(&self, env: Env, drain_ms: Option<f64>) -> RawValue {
        let js = Js(env.raw());
        let drain = drain_ms.map_or(self.core.settings().drain, |ms| Duration::from_secs_f64(ms.max(0.0) / 1000.0));
        RawValue(disconnect(self.core.environment(), js, std::slice::from_ref(&self.core), drain))
    }

    /// Returns the same service with limits: `{ timeoutMs, signals, ids }`.
    #[napi]
    pub fn within(&self, env: Env, limits: Unknown) -> napi::Result<Service> {
        Ok(Self { core: self.core.within(&env, limits.raw())? })
    }

    /// Whether a connection is available.
    #[napi(getter)]
    pub fn is_connected(&self) -> bool {
        self.core.store().is_some_and(|store| store.is_connected())
    }

    /// `{ engine, host, port, db }`, and with sentinels `name`.
    #[napi]
    pub fn describe(&self, env: Env) -> RawValue {
        let js = Js(env.raw());
        let text = |text: &str| js.string(text.as_bytes()).unwrap_or_else(|_| js.undefined());
        let object = js.object();
        let (engine, host, port) = match &self.core.settings().server {
            Server::Memory(name) => ("memory", name.clone(), None),
            Server::Tcp { host, port } => ("redis", host.clone(), Some(*port)),
            Server::Unix(path) => ("redis", path.clone(), None),
            Server::Cluster(addresses) | Server::Sentinel { addresses, .. } => {
                ("redis", Listed(addresses).to_string(), None)
            }
        };
        js.set(object, c"engine", text(engine));
        js.set(object, c"host", text(&host));
        // Sentinels know several primaries by name.
        if let Server::Sentinel { name, .. } = &self.core.settings().server {
            js.set(object, c"name", text(name));
        }
        js.set(object, c"db", js.number(f64::from(self.core.settings().database)));
        js.set(object, c"port", port.map_or_else(|| js.null(), |port| js.number(f64::from(port))));
        RawValue(object)
    }

    /// Returns the status from local state, without sending anything: `{ topology, connected, pool, breaker, lastError, reconnects, nodes }`.
    #[napi]
    pub fn status(&self, env: Env) -> RawValue {
        let status = match self.core.store() {
            Some(store) => store.status(),
            None => Status::idle(match self.core.settings().server {
                Server::Memory(_) => Topology::Memory,
                Server::Cluster(_) => Topology::Cluster,
                Server::Sentinel { .. } => Topology::Sentinel,
                Server::Tcp { .. } | Server::Unix(_) => Topology::Single,
            }),
        };
        RawValue(self.core.environment().value(Js(env.raw()), &status::output(&status)))
    }

    /// Advances the clock of the embedded engine.
    #[napi]
    pub fn advance_time(&self, env: Env, ms: Unknown) -> RawValue {
        let js = Js(env.raw());
        let core = &self.core;
        core.submit(env, plain("ADVANCE"), |_| {
            core.open_store(js)?.store().advance(js.milliseconds_within(ms.raw(), "ms", 0..=LONGEST_MS)?)?;
            Ok(Call::ready(Output::Undefined))
        })
    }

    /// Executes a documented command by its Redis name; with `buffers`, strings are returned as bytes.
    #[napi]
    pub fn command(&self, env: Env, name: Unknown, args: Unknown, buffers: Option<bool>) -> RawValue {
        let js = Js(env.raw());
        let read = js.text(name.raw(), "the command").map(|name| (raw::empty_shape(&name), name));
        let operation = match &read {
            Ok((Some((name, Some(shape))), _)) => {
                let words = || js.array_length(args.raw()).unwrap_or_default();
                self.core.operation(name, empty(*shape, words))
            }
            Ok((Some((name, None)), _)) => plain(name),
            _ => plain("COMMAND"),
        };
        self.core.submit(env, operation, |js| raw::command(&read?.1, js.words(args.raw())?, strings(buffers)))
    }

    /// Executes any command: its name, then its arguments; with `buffers`, strings are returned as bytes.
    #[napi]
    pub fn custom(&self, env: Env, words: Unknown, buffers: Option<bool>) -> RawValue {
        // Without a limit of its own, the timeout of a blocking command is added to that of the call.
        let within = self.core.limits_timeout();
        // The type of its reply is unknown, so there is no empty value.
        self.core.submit(env, plain("CUSTOM"), |js| {
            let mut words = js.words(words.raw())?;
            if words.is_empty() {
                return Err(Error::argument("sendCommand takes the name of a command, then its arguments"));
            }
            let name = String::from_utf8_lossy(&words.remove(0)).into_owned();
            raw::custom(&name, words, strings(buffers), within)
        })
    }

    /// Executes a transaction: `[[kind, name, …args], …]`, where kind is 0 for a documented command and 1 for any other, plus 2 if
    /// strings are returned as bytes.
    #[napi]
    pub fn transaction(&self, env: Env, commands: Unknown) -> RawValue {
        self.core.submit(env, plain("MULTI"), |js| {
            let commands = js.elements(commands.raw(), "the commands")?.into_iter().map(|command| {
                let mut words = js.words(command)?;
                if words.len() < 2 {
                    return Err(Error::argument("a command of a transaction has no name"));
                }
                let kind = words.remove(0);
                let name = String::from_utf8_lossy(&words.remove(0)).into_owned();
                let (custom, buffers) = (matches!(&kind[..], b"1" | b"3"), matches!(&kind[..], b"2" | b"3"));
                Ok(raw::Step { name, args: words, custom, strings: strings(Some(buffers)) })
            });
            raw::transaction(commands.collect::<Result<_, _>>()?)
        })
    }

    /// Publishes a value as JSON, or bytes unchanged, on a regular or sharded channel; returns how many connections received
    /// it.
    #[napi]
    pub fn publish(&self, env: Env, channel: Unknown, value: Unknown, sharded: Unknown) -> RawValue {
        let core = self.core.clone();
        self.core.submit(env, self.core.operation("PUBLISH", Empty::Zero), |js| {
            let sharded = if js.is_nothing(sharded.raw()) { false } else { js.flag(sharded.raw(), "options.sharded")? };
            let channel = subscription::channel(js, channel.raw())?;
            let channel = keys::channel(core.settings().channel_database(), channel);
            let value = match js.bytes(value.raw()) {
                Some(bytes) => bytes,
                None => core.environment().stringify(js, value.raw(), "value")?.into(),
            };
            Ok(subscription::publish(channel, value, sharded))
        })
    }

    /// Ends a subscription by the id that `subscribe` resolved to.
    #[napi]
    pub fn unsubscribe(&self, env: Env, id: f64) -> RawValue {
        self.core.end(Js(env.raw()), "UNSUBSCRIBE", id as u64)
    }

    /// Subscribes with `{ pattern, sharded, buffer: { messages, bytes }, overflow, buffers }`. Resolves, once the subscription is active,
    /// to the id of the reader, by which it is ended.
    #[napi]
    pub fn subscribe(&self, env: Env, channel: Unknown, options: Unknown, reader: Unknown) -> RawValue {
        subscription::subscribe(&self.core, &env, channel.raw(), options.raw(), reader.raw())
    }
}

fn strings(buffers: Option<bool>) -> Strings {
    if buffers == Some(true) { Strings::Bytes } else { Strings::Text }
}

fn plain(name: &'static str) -> Operation {
    Operation { name, empty: None }
}

/// Returns the empty value of a command with this shape and number of arguments.
fn empty(shape: Shape, words: impl FnOnce() -> usize) -> Empty {
    match shape {
        Shape::Values => Empty::Nulls(words()),
        Shape::Fields => Empty::Nulls(words().saturating_sub(1)),
        Shape::Each(count) => Empty::Nulls(count),
        Shape::Texts => Empty::List,
        Shape::Number => Empty::Zero,
        Shape::Flag => Empty::False,
        Shape::Record => Empty::Object,
        _ => Empty::Null,
    }
}
