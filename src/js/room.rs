//! `RealtimeDataManager`'s native half.

use std::{rc::Rc, sync::Arc};

use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{
    bridge::{Core, Handed, iso_now},
    env::Js,
    operation::Empty,
    service::Service,
};
use crate::{answer::Answer, features::room};

/// Rooms of one service.
#[napi]
pub struct Rooms {
    core: Rc<Core>,
    rooms: Arc<room::Rooms>,
}

#[napi]
impl Rooms {
    /// Takes `{ prefix }`.
    #[napi(constructor)]
    pub fn new(env: Env, service: &Service, options: Unknown) -> napi::Result<Self> {
        let js = Js(env.raw());
        let rooms = js
            .text_option(options.raw(), c"prefix", "prefix")
            .and_then(|prefix| room::Rooms::new(room::Options { prefix }))
            .map_err(|error| Core::throw(service.core.bridge(), &env, &error))?;
        Ok(Self { core: service.core.clone(), rooms: Arc::new(rooms) })
    }

    /// The same within limits: `{ timeoutMs, signals, ids }`.
    #[napi]
    pub fn within(&self, env: Env, limits: Unknown) -> napi::Result<Rooms> {
        Ok(Self { core: self.core.within(&env, limits.raw())?, rooms: self.rooms.clone() })
    }

    /// Puts a user in a room.
    #[napi]
    pub fn add_user(&self, env: Env, room: Unknown, user: Unknown, info: Unknown) -> Handed {
        self.core.submit(env, self.core.operation("JOIN ROOM", Empty::Nothing), |js| {
            let (room, user) = (js.text(room.raw(), "roomId")?, js.text(user.raw(), "userId")?);
            let info = self.core.bridge().stringify(js, info.raw(), "info")?;
            self.rooms.add_user(&room, &user, &info, &iso_now())
        })
    }

    /// Takes a user out of a room; answers how many were taken out.
    #[napi]
    pub fn remove_user(&self, env: Env, room: Unknown, user: Unknown) -> Handed {
        self.core.submit(env, self.core.operation("LEAVE ROOM", Empty::Zero), |js| {
            self.rooms.remove_user(&js.text(room.raw(), "roomId")?, &js.text(user.raw(), "userId")?)
        })
    }

    /// An object by user.
    #[napi]
    pub fn users(&self, env: Env, room: Unknown) -> Handed {
        self.core.submit(env, self.core.operation("ROOM USERS", Empty::Object), |js| {
            Ok(self.rooms.users(&js.text(room.raw(), "roomId")?)?.map(Answer::json))
        })
    }

    /// Stores a message as the newest.
    #[napi]
    pub fn store_message(&self, env: Env, room: Unknown, message: Unknown) -> Handed {
        self.core.submit(env, self.core.operation("STORE MESSAGE", Empty::Nothing), |js| {
            let room = js.text(room.raw(), "roomId")?;
            let message = self.core.bridge().stringify(js, message.raw(), "message")?;
            self.rooms.store_message(&room, &message, &iso_now())
        })
    }

    /// The last messages, newest first.
    #[napi]
    pub fn recent_messages(&self, env: Env, room: Unknown, count: Unknown) -> Handed {
        self.core.submit(env, self.core.operation("RECENT MESSAGES", Empty::List), |js| {
            let count = js.any_number(count.raw(), "count")?;
            Ok(self.rooms.recent(&js.text(room.raw(), "roomId")?, count)?.map(Answer::json))
        })
    }
}
