//! The native class behind `SessionManager`.

mod connections;
mod names;
mod near;
mod options;
mod validate;

use std::{rc::Rc, sync::Arc, time::Duration};

use bytes::Bytes;
use cinnabar_core::{
    agents::near_watch::NearOptions,
    features::{
        Moment, NearAt,
        session::{self, CookieAttributes, Create, CreatedSession, ListedSession, OpenedSession},
    },
    keys,
    output::Output,
};
use cinnabar_port::{
    Call,
    error::{Error, Result},
    number,
};
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use self::connections::BindOptions;
use super::{
    near::NearTier,
    node_api::{Js, RawValue, Value},
    operation::{Empty, Operation},
    option_reader::OptionReader,
    sensitive_keys,
    service::Service,
    service_core::ServiceCore,
    time::{iso_now, moment},
};

/// For how long values are near without news from the server where sign-outs wait for that.
const STRICT_STALENESS: Duration = Duration::from_millis(250);

/// Sessions of one service.
#[napi]
pub struct Sessions {
    core: ServiceCore,
    sessions: session::Sessions,
    cookie: CookieAttributes,
    bind_options: Arc<BindOptions>,
    near: Option<Rc<NearTier>>,
    /// For how long a process may have what has ended near, if a call that ends it is to wait.
    lapse: Option<Duration>,
}

#[napi]
impl Sessions {
    /// Takes `{ prefix, ttl, absoluteTtl, rolling, tokens, encryption: { keys: [{ id, key }], acceptPlain }, cookie: { name, path, domain, secure, sameSite, partitioned }, near }`.
    #[napi(constructor)]
    pub fn new(env: Env, service: &Service, options: Unknown) -> napi::Result<Self> {
        let js = Js(env.raw());
        let read = || -> Result<_> {
            let ((mut options, cookie, lease), near) = OptionReader::of(js, options.raw()).sessions_with_near()?;
            let hidden = options.prefix.clone();
            options.database = service.core.settings().channel_database();
            let sessions = session::Sessions::new(options)?;
            hidden.iter().for_each(|prefix| sensitive_keys::register(prefix));
            let is_strict = near.is_some_and(|(.., is_strict)| is_strict);
            let near = near.map(|(max_bytes, max_staleness, _)| {
                let max_staleness = if is_strict { STRICT_STALENESS } else { max_staleness };
                let (prefix, ring) = (sessions.prefix().clone(), sessions.ring());
                // What is strict about it is when a sign-out resolves.
                NearTier::new(NearOptions { prefix, max_bytes, max_staleness, is_strict: false, ring })
            });
            // The clocks of two machines may run at different speeds.
            let lapse = is_strict.then_some(STRICT_STALENESS + STRICT_STALENESS / 50);
            Ok((sessions, cookie.checked()?, Arc::new(BindOptions { lease }), near, lapse))
        };
        let (sessions, cookie, bind_options, near, lapse) =
            read().map_err(|error| service.core.exception(&env, &error))?;
        Ok(Self { core: service.core.clone(), sessions, cookie, bind_options, near, lapse })
    }

    /// Returns the same object with limits: `{ timeoutMs, signals, ids }`.
    #[napi]
    pub fn within(&self, env: Env, limits: Unknown) -> napi::Result<Sessions> {
        let core = self.core.within(&env, limits.raw())?;
        let (cookie, bind_options) = (self.cookie.clone(), self.bind_options.clone());
        let near = self.near.clone();
        Ok(Self { core, sessions: self.sessions.clone(), cookie, bind_options, near, lapse: self.lapse })
    }

    /// Creates a session; returns its id, or null if other sign-ins of the user took its place.
    #[napi]
    pub fn create(&self, env: Env, user: Unknown, data: Unknown, options: Unknown) -> RawValue {
        let chosen = Js(env.raw()).option(options.raw(), c"id").is_ok_and(|id| id.is_some());
        // When the store is unavailable, the returned id must not belong to a session.
        let operation = self.core.operation("CREATE SESSION", Empty::Id);
        let operation = if chosen { operation.rejecting() } else { operation };
        self.create_as(env, operation, [user, data, options], false)
    }

    /// Creates a session of which only the hash of its token is stored; returns null as `create` does, or `{ token, ended }`, where `ended` are the sessions that
    /// ended for it, as in `describe`.
    #[napi]
    pub fn issue(&self, env: Env, user: Unknown, data: Unknown, options: Unknown) -> RawValue {
        let operation = Operation { name: "CREATE SESSION", empty: None };
        self.create_as(env, operation, [user, data, options], true)
    }

    /// Creates a session without a user, of which only the hash of its token is stored; returns the token.
    #[napi]
    pub fn begin(&self, env: Env, data: Unknown, options: Unknown) -> RawValue {
        self.core.submit_output(env, Operation { name: "CREATE SESSION", empty: None }, |js| {
            let data = self.core.environment().stringify(js, data.raw(), "data")?;
            let ttl = OptionReader::of(js, options.raw()).create_session()?.ttl;
            let (sessions, now) = (self.sessions.clone(), iso_now());
            let call = Call::deferred(move || Ok(sessions.create_anonymous(&now, &data, ttl)?.map(Output::text)));
            Ok(self.watched(js, call))
        })
    }

    /// The value of the `Set-Cookie` header that gives this token, of a session with so many seconds to live, to the browser; or
    /// removes the cookie if the token is null.
    #[napi]
    pub fn set_cookie(&self, token: Option<String>, seconds: f64) -> String {
        match token {
            Some(token) => self.cookie.set(&token, Duration::try_from_secs_f64(seconds).unwrap_or_default()),
            None => self.cookie.remove(),
        }
    }

    /// Returns the session, or null.
    #[napi]
    pub fn get(&self, env: Env, id: Unknown) -> RawValue {
        self.core.submit_output(env, self.core.operation("GET SESSION", Empty::Null), |js| {
            let Some(id) = id_of(js, id.raw())? else { return Ok(Call::ready(Output::Null)) };
            // What is near has been looked for, unless the call has limits of its own.
            let near = self.open_near(js).map(|open| NearAt { is_missing: true, ..open.now() });
            self.getting(js, id, near)
        })
    }

    /// The session for a request, or null: `{ session, token, ttlMs }`. `token` is null unless that of the request has been
    /// rotated.
    #[napi]
    pub fn open(&self, env: Env, token: Unknown) -> RawValue {
        self.core.submit_output(env, self.core.operation("GET SESSION", Empty::Null), |js| {
            let Some(token) = id_of(js, token.raw())? else { return Ok(Call::ready(Output::Null)) };
            let opened = |opened: Option<OpenedSession>| {
                opened.map_or(Output::Null, |opened| {
                    Output::Object(vec![
                        ("session".into(), Output::json(opened.json)),
                        (
                            "token".into(),
                            opened.successor.map_or(Output::Null, |token| Output::text(token.to_string())),
                        ),
                        ("ttlMs".into(), Output::Number(opened.ttl.as_millis() as f64)),
                    ])
                })
            };
            let (sessions, now) = (self.sessions.clone(), self.now(js)?);
            let near = self.open_near(js).map(|open| NearAt { is_missing: true, ..open.now() });
            self.reporting(js, Call::deferred(move || Ok(sessions.open(&token, now, near)?.map(opened))))
        })
    }

    /// Gives a session another token; returns it, or null.
    #[napi]
    pub fn rotate(&self, env: Env, token: Unknown, grace_seconds: Unknown) -> RawValue {
        self.core.submit_output(env, Operation { name: "ROTATE SESSION", empty: None }, |js| {
            let (token, grace) = (id_of(js, token.raw())?, js.any_number(grace_seconds.raw(), "graceSeconds")?);
            let Some(token) = token else { return Ok(Call::ready(Output::Null)) };
            let call = self.sessions.rotate(&token, grace)?.map(|token| token.map_or(Output::Null, Output::text));
            Ok(self.watched(js, call))
        })
    }

    /// Merges changes; false if there is no such session. Takes `{ ttl, remove }`.
    #[napi]
    pub fn update(&self, env: Env, id: Unknown, changes: Unknown, options: Unknown) -> RawValue {
        self.core.submit_output(env, self.core.operation("UPDATE SESSION", Empty::False), |js| {
            let id = id_of(js, id.raw())?;
            let changes = self.core.environment().stringify(js, changes.raw(), "changes")?;
            let options = OptionReader::of(js, options.raw()).update_session()?;
            let sessions = self.sessions.clone();
            let Some(id) = id else {
                // Invalid changes are a programming error, even if the id is invalid client input.
                return sessions.update_with("-", &changes, options).map(|_| Call::ready(false.into()));
            };
            let call = Call::deferred(move || Ok(sessions.update_with(&id, &changes, options)?.map(Output::from)));
            Ok(self.watched(js, call))
        })
    }

    /// Deletes it; returns how many keys were deleted.
    #[napi]
    pub fn destroy(&self, env: Env, id: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("DESTROY SESSION", Empty::Zero), |js| {
            let Some(id) = id_of(js, id.raw())? else { return Ok(Call::ready(0)) };
            Ok(self.watched(js, self.sessions.destroy(&id)?))
        })
    }

    /// Sets the ttl.
    #[napi]
    pub fn extend(&self, env: Env, id: Unknown, seconds: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("EXTEND SESSION", Empty::False), |js| {
            let (id, seconds) = (id_of(js, id.raw())?, js.any_number(seconds.raw(), "seconds")?);
            // An invalid ttl is a programming error, even if the id is invalid client input.
            let checked = self.sessions.extend(id.as_deref().unwrap_or("-"), seconds)?;
            Ok(if id.is_some() { self.watched(js, checked) } else { Call::ready(false) })
        })
    }

    /// Renews the ttl, or sets it this once.
    #[napi]
    pub fn touch(&self, env: Env, id: Unknown, ttl: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("TOUCH SESSION", Empty::False), |js| {
            let id = id_of(js, id.raw())?;
            let stored = id.as_deref().unwrap_or("-");
            let checked = if js.kind(ttl.raw()) == napi::sys::ValueType::napi_undefined {
                self.sessions.touch(stored)?
            } else {
                self.sessions.touch_to(stored, js.any_number(ttl.raw(), "ttl")?)?
            };
            Ok(if id.is_some() { self.watched(js, checked) } else { Call::ready(false) })
        })
    }

    /// Stores a session under the caller's id.
    #[napi]
    pub fn store(&self, env: Env, id: Unknown, data: Unknown, ttl: Unknown) -> RawValue {
        self.core.submit(env, Operation { name: "STORE SESSION", empty: None }, |js| {
            let id = js.text(id.raw(), "id")?;
            let data = self.core.environment().stringify(js, data.raw(), "data")?;
            Ok(self.watched(js, self.sessions.store(&id, &data, js.any_number(ttl.raw(), "ttl")?)?))
        })
    }

    /// Deletes every session with a tag; returns how many.
    #[napi]
    pub fn destroy_by_tag(&self, env: Env, tag: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("DESTROY SESSIONS", Empty::Zero), |js| {
            let tag = js.lookup_text(tag.raw(), "tag", keys::is_id)?;
            let Some(tag) = tag else { return Ok(Call::ready(0)) };
            Ok(self.watched(js, self.sessions.destroy_by_tag(&tag)?))
        })
    }

    /// Deletes every session of a user; returns how many.
    #[napi]
    pub fn invalidate_user(&self, env: Env, user: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("INVALIDATE USER", Empty::Zero), |js| {
            let Some(user) = user_of(js, user.raw())? else { return Ok(Call::ready(0)) };
            Ok(self.watched(js, self.sessions.invalidate_user(&user)?))
        })
    }

    /// The ids of a user's sessions.
    #[napi]
    pub fn list_sessions(&self, env: Env, user: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("LIST SESSIONS", Empty::List), |js| {
            let ids = |listed: Vec<ListedSession>| {
                let plain = listed.into_iter().filter(|session| !session.is_hashed);
                plain.map(|session| session.id).collect::<Vec<_>>()
            };
            Ok(self.list_of(js, user.raw(), false)?.map(ids))
        })
    }

    /// A user's sessions without their ids: `[{ publicId, ttlMs, current, session }]`. `current` is the id or token of one, or null.
    #[napi]
    pub fn describe(&self, env: Env, user: Unknown, current: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("DESCRIBE SESSIONS", Empty::List), |js| {
            let current = match js.kind(current.raw()) {
                napi::sys::ValueType::napi_string => id_of(js, current.raw())?,
                _ => None,
            };
            let current = current.and_then(|id| self.sessions.stored_id(&id));
            let list = self.list_of(js, user.raw(), true)?;
            let described = move |session: ListedSession| {
                let is_current = current.as_ref() == Some(&session.id);
                described(session, is_current)
            };
            Ok(list.map(move |listed| Output::List(listed.into_iter().map(described).collect())))
        })
    }

    /// Deletes the session of a user with this public id; returns how many keys were deleted.
    #[napi]
    pub fn destroy_of(&self, env: Env, user: Unknown, public_id: Unknown) -> RawValue {
        self.core.submit(env, self.core.operation("DESTROY SESSION", Empty::Zero), |js| {
            match (user_of(js, user.raw())?, id_of(js, public_id.raw())?) {
                (Some(user), Some(public_id)) => Ok(self.watched(js, self.sessions.destroy_of(&user, public_id)?)),
                _ => Ok(Call::ready(0)),
            }
        })
    }

    /// Returns `{ hits, misses, errors, nearHits }` of reads and validations.
    #[napi]
    pub fn stats(&self, env: Env) -> RawValue {
        let stats = self.sessions.stats();
        RawValue(Js(env.raw()).counts(&[
            (c"hits", stats.hits),
            (c"misses", stats.misses),
            (c"errors", stats.errors),
            (c"nearHits", stats.near_hits),
        ]))
    }

    fn create_as(&self, env: Env, operation: Operation, [user, data, options]: [Unknown; 3], token: bool) -> RawValue {
        self.core.submit_output(env, operation, |js| {
            let user = user_text(js, user.raw())?;
            let data = self.core.environment().stringify(js, data.raw(), "data")?;
            let create = Create { token, ..OptionReader::of(js, options.raw()).create_session()? };
            let (sessions, now) = (self.sessions.clone(), iso_now());
            let output = move |created: Option<CreatedSession>| {
                let Some(created) = created else { return Output::Null };
                if !token {
                    return Output::text(created.id);
                }
                let ended = created.ended.into_iter().map(|session| described(session, false)).collect();
                Output::Object(vec![("token".into(), Output::text(created.id)), ("ended".into(), Output::List(ended))])
            };
            let call = Call::deferred(move || Ok(sessions.create_and_end(&user, &now, &data, create)?.map(output)));
            Ok(self.watched(js, call))
        })
    }

    /// Returns a call that reads a session.
    fn getting(&self, js: Js, id: String, near: Option<NearAt>) -> Result<Call<Output>> {
        let (sessions, now) = (self.sessions.clone(), self.now(js)?);
        let output = |json: Option<Bytes>| json.map_or(Output::Null, Output::json);
        let call = Call::deferred(move || match near {
            Some(near) => sessions.get_near(&id, now, near, output),
            None => sessions.get_as(&id, now, output),
        });
        self.reporting(js, call)
    }

    /// The time, for sessions that reads renew; `None` where tests can move the time of the store.
    fn now(&self, js: Js) -> Result<Option<Moment>> {
        let is_needed = self.sessions.is_rolling() && !self.core.open_store(js)?.store().is_embedded();
        Ok(is_needed.then(moment))
    }

    /// Wraps a call that reads values, so that one that does not decrypt is reported. Without encryption that is done from the call after
    /// the first such value on, because the wrapper takes time.
    fn reporting<T: Send + 'static>(&self, js: Js, call: Call<T>) -> Result<Call<T>> {
        if !self.sessions.is_encrypted() && !self.sessions.has_unreadable() {
            return Ok(call);
        }
        let (sessions, store) = (self.sessions.clone(), self.core.open_store(js)?.store().clone());
        Ok(call.inspect(move |_| {
            if sessions.has_unreadable() {
                store.report_unreadable();
            }
        }))
    }

    fn list_of(&self, js: Js, user: Value, with_left: bool) -> Result<Call<Vec<session::ListedSession>>> {
        user_of(js, user)?.map_or(Ok(Call::ready(Vec::new())), |user| self.sessions.list(&user, with_left))
    }
}

fn described(session: ListedSession, is_current: bool) -> Output {
    Output::Object(vec![
        Output::field("publicId", session.public_id),
        Output::field("ttlMs", session.ttl_ms),
        ("current".into(), is_current.into()),
        ("session".into(), Output::json(session.json)),
    ])
}

/// Returns a session id from client input; `None` if it cannot be one, which is treated as not found.
fn id_of(js: Js, value: Value) -> Result<Option<String>> {
    js.lookup_text(value, "id", keys::is_id)
}

/// Returns the id of a user whose sessions are requested; `None` if no session can have this user id.
fn user_of(js: Js, value: Value) -> Result<Option<String>> {
    match js.kind(value) {
        napi::sys::ValueType::napi_string => js.lookup_text(value, "userId", keys::is_id),
        _ => user_text(js, value).map(Some),
    }
}

/// Returns the id of a user: a string, or an integer as databases assign it.
fn user_text(js: Js, value: Value) -> Result<String> {
    match js.as_number(value) {
        Some(number) if number::is_safe_integer(number) => Ok((number as i64).to_string()),
        Some(number) => Err(Error::argument(format!("userId must be a string or a whole number, not {number}"))),
        None if js.kind(value) == napi::sys::ValueType::napi_string => js.text(value, "userId"),
        None => Err(js.type_error(value, "userId", "a string or a whole number")),
    }
}
