//! Keys and prefixes that JavaScript needs.

use cinnabar_core::keys;
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::{
    args::ShortText,
    node_api::{Js, RawValue, Value},
};

/// Keys and prefixes that JavaScript needs. Has static methods only.
#[napi]
pub struct Keys {}

#[napi]
impl Keys {
    /// The default prefix of each feature's keys, and that of the names of images in a cache: `{ sessions, cache, limiter,
    /// routes, locks, rooms, images }`.
    #[napi]
    pub fn default_prefixes(env: Env) -> RawValue {
        let js = Js(env.raw());
        let object = js.object();
        for (feature, prefix) in [
            (c"sessions", keys::SESSIONS),
            (c"connections", keys::CONNECTIONS),
            (c"cache", keys::CACHE),
            (c"limiter", keys::LIMITS),
            (c"routes", keys::ROUTES),
            (c"locks", keys::LOCKS),
            (c"rooms", keys::ROOMS),
            (c"images", keys::IMAGES),
        ] {
            js.set(object, feature, string(js, prefix));
        }
        RawValue(object)
    }

    /// The key that limits an address on a route. Both are strings.
    #[napi]
    pub fn route_key(env: Env, address: Unknown, route: Unknown) -> RawValue {
        let js = Js(env.raw());
        let (address, route) = (address.raw(), route.raw());
        let (mut one, mut other) = (ShortText::new(), ShortText::new());
        let key = match (one.read(js, address), other.read(js, route)) {
            (Some(address), Some(route)) => keys::route_key(address, route),
            _ => keys::route_key_utf16(&js.units(address), &js.units(route)),
        };
        RawValue(string(js, &key))
    }
}

/// A string that is short enough for JavaScript.
fn string(js: Js, text: &str) -> Value {
    js.string(text.as_bytes()).unwrap_or_else(|_| js.undefined())
}
