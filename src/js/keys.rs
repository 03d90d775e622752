//! Keys and prefixes that JavaScript needs.

use cinnabar_core::keys;
use napi::{Env, JsValue, Unknown};
use napi_derive::napi;

use super::node_api::{Js, RawValue, Value};

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
        RawValue(string(js, &keys::route_key(&js.units(address.raw()), &js.units(route.raw()))))
    }
}

/// A string that is short enough for JavaScript.
fn string(js: Js, text: &str) -> Value {
    js.string(text.as_bytes()).unwrap_or_else(|_| js.undefined())
}
