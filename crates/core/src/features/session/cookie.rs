//! The cookie that carries a session's token.

use std::time::Duration;

use cinnabar_port::error::{Error, Result};
use cookie::{Cookie, CookieBuilder, SameSite};

/// The prefix of names that browsers accept only with `Secure`, `Path=/` and no `Domain`, so that no other host can set them.
const HOST: &str = "__Host-";
/// The prefix of names that browsers accept only with `Secure`.
const SECURE: &str = "__Secure-";

/// The attributes of the cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieAttributes {
    /// Its name.
    pub name: String,
    /// The path under which browsers send it.
    pub path: String,
    /// The domain with whose hosts it is shared; without one only its own host gets it.
    pub domain: Option<String>,
    /// Whether browsers send it over TLS only.
    pub secure: bool,
    /// `Strict`, `Lax` or `None`.
    pub same_site: SameSite,
    /// Whether it is kept apart for each site that embeds this one.
    pub partitioned: bool,
}

impl Default for CookieAttributes {
    fn default() -> Self {
        Self {
            name: "__Host-session".into(),
            path: "/".into(),
            domain: None,
            secure: true,
            same_site: SameSite::Lax,
            partitioned: false,
        }
    }
}

impl CookieAttributes {
    /// Checks what browsers would otherwise silently reject.
    ///
    /// # Errors
    /// `E_INVALID_ARGUMENT`.
    pub fn checked(self) -> Result<Self> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if self.name.is_empty() || !self.name.bytes().all(is_name) {
            return Err(Error::argument("cookie.name must be the name of a cookie"));
        }
        let is_attribute = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b';');
        if !self.path.starts_with('/') || !is_attribute(&self.path) {
            return Err(Error::argument("cookie.path must be a path that starts with /"));
        }
        let is_domain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        if self.domain.as_ref().is_some_and(|domain| domain.is_empty() || !is_domain(domain)) {
            return Err(Error::argument("cookie.domain must be a domain, such as \"example.com\""));
        }
        if self.has_prefix(HOST) && (!self.secure || self.path != "/" || self.domain.is_some()) {
            return Err(Error::argument(
                "a cookie named __Host-… must have secure: true, the path / and no domain, or browsers reject it",
            ));
        }
        if self.has_prefix(SECURE) && !self.secure {
            return Err(Error::argument("a cookie named __Secure-… must have secure: true, or browsers reject it"));
        }
        if !self.secure && (self.partitioned || self.same_site == SameSite::None) {
            return Err(Error::argument(
                "a cookie with partitioned or sameSite: 'none' must have secure: true, or browsers reject it",
            ));
        }
        Ok(self)
    }

    /// Browsers compare the prefix without case.
    fn has_prefix(&self, prefix: &str) -> bool {
        self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }

    /// Returns the value of the `Set-Cookie` header that sets the cookie for `ttl`.
    pub fn set(&self, token: &str, ttl: Duration) -> String {
        // Rounded up, since the store ends the session anyway.
        let seconds = ttl.as_millis().div_ceil(1000) as i64;
        self.header(token, seconds)
    }

    /// Returns the value of the `Set-Cookie` header that removes the cookie.
    pub fn remove(&self) -> String {
        self.header("", 0)
    }

    fn header(&self, token: &str, seconds: i64) -> String {
        let cookie: CookieBuilder<'_> = Cookie::build((&*self.name, token))
            .path(&*self.path)
            .max_age(cookie::time::Duration::seconds(seconds))
            .http_only(true)
            .secure(self.secure)
            .same_site(self.same_site)
            .partitioned(self.partitioned);
        match &self.domain {
            Some(domain) => cookie.domain(&**domain),
            None => cookie,
        }
        .build()
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> CookieAttributes {
        CookieAttributes::default()
    }

    #[test]
    fn a_cookie_is_set_and_removed_with_the_same_attributes() {
        let cookie = host().checked().unwrap();
        assert_eq!(
            cookie.set("cst_1", Duration::from_millis(1_500)),
            "__Host-session=cst_1; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=2"
        );
        assert_eq!(cookie.remove(), "__Host-session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
        let shared = CookieAttributes { name: "sid".into(), domain: Some("example.com".into()), ..host() };
        let header = shared.checked().unwrap().set("t", Duration::from_secs(60));
        assert!(header.contains("; Domain=example.com"), "{header}");
    }

    #[test]
    fn what_browsers_reject_is_an_error() {
        for wrong in [
            CookieAttributes { name: String::new(), ..host() },
            CookieAttributes { name: "a b".into(), ..host() },
            CookieAttributes { name: "a=b".into(), ..host() },
            CookieAttributes { secure: false, ..host() },
            CookieAttributes { name: "__host-s".into(), secure: false, ..host() },
            CookieAttributes { path: "/app".into(), ..host() },
            CookieAttributes { domain: Some("example.com".into()), ..host() },
            CookieAttributes { name: "__Secure-s".into(), secure: false, ..host() },
            CookieAttributes { name: "s".into(), path: "app".into(), ..host() },
            CookieAttributes { name: "s".into(), path: "/a; Domain=evil.example".into(), ..host() },
            CookieAttributes { name: "s".into(), path: "/a\r\nx: y".into(), ..host() },
            CookieAttributes { name: "s".into(), domain: Some("a; b".into()), ..host() },
            CookieAttributes { name: "s".into(), domain: Some(String::new()), ..host() },
            CookieAttributes { name: "s".into(), secure: false, same_site: SameSite::None, ..host() },
            CookieAttributes { name: "s".into(), secure: false, partitioned: true, ..host() },
        ] {
            let error = wrong.clone().checked().unwrap_err();
            assert_eq!(error.kind, cinnabar_port::error::Kind::InvalidArgument, "{wrong:?}");
        }
    }
}
