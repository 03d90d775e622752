//! Options of sessions.

use std::{sync::Arc, time::Duration};

use cinnabar_core::{
    features::session::{self, CookieAttributes, Create, PerUser, SameSite, UpdateOptions, WhenFull},
    keys,
};
use cinnabar_port::error::Result;

use crate::js::{
    node_api::Js,
    option_reader::{OptionReader, Takes},
};

/// The default lease of bound connections.
const LEASE: Duration = Duration::from_secs(15);
const LEASES: std::ops::RangeInclusive<u64> = 1000..=3_600_000;

impl OptionReader<'_> {
    /// Returns the options of a manager.
    pub fn sessions(self) -> Result<(session::Options, CookieAttributes, Duration)> {
        let (connections, lease) = self.connections()?;
        let mut options = session::Options {
            prefix: self.text(c"prefix", Some(keys::SESSIONS))?,
            ttl: self.ttl(c"ttl", Some(session::DEFAULT_TTL_SECONDS))?,
            rolling: self.flag(c"rolling", false)?,
            absolute_ttl: self.ttl(c"absoluteTtl", None)?,
            per_user: self.per_user()?,
            hashed: self.word_or(c"tokens", [("plain", false), ("hashed", true)], false)?,
            encryption: None,
            events: self.flag(c"events", false)?,
            connections,
            database: 0,
        };
        let cookie = self.session_cookie()?;
        options.encryption = self.encryption()?.map(Arc::new);
        Ok((options, cookie, lease))
    }

    /// Returns the same, and those of the near tier.
    #[allow(clippy::type_complexity, reason = "it is taken apart at once")]
    pub fn sessions_with_near(
        self,
    ) -> Result<((session::Options, CookieAttributes, Duration), Option<(u64, Duration, bool)>)> {
        let near = self.near()?;
        Ok((self.sessions()?, near))
    }

    /// Returns the prefix of the keys of connections, and their lease.
    fn connections(self) -> Result<(Option<String>, Duration)> {
        let Some(connections) = self.group(c"connections")? else { return Ok((None, LEASE)) };
        let prefix = connections.text(c"prefix", Some(keys::CONNECTIONS))?;
        Ok((prefix, connections.time_or(c"leaseMs", LEASES, LEASE)?))
    }

    fn per_user(self) -> Result<Option<PerUser>> {
        let most = self.whole::<u32>(c"maxPerUser", 1..=1000, None)?;
        let policies =
            [("evict-oldest", WhenFull::EndOldest), ("evict-idle", WhenFull::EndIdle), ("reject", WhenFull::Reject)];
        let when_full = self.word_or(c"whenFull", policies, WhenFull::EndOldest)?;
        Ok(most.map(|most| PerUser { most: most as usize, when_full }))
    }

    /// Returns the attributes of the cookie. Their defaults depend on each other and on NODE_ENV, so JavaScript has filled them in.
    fn session_cookie(self) -> Result<CookieAttributes> {
        let Some(cookie) = self.group(c"cookie")? else { return Ok(CookieAttributes::default()) };
        let default = CookieAttributes::default();
        let same_sites = [("strict", SameSite::Strict), ("lax", SameSite::Lax), ("none", SameSite::None)];
        Ok(CookieAttributes {
            name: cookie.text(c"name", None)?.unwrap_or(default.name),
            path: cookie.text(c"path", Some("/"))?.unwrap_or(default.path),
            domain: cookie.text(c"domain", None)?,
            secure: cookie.read(c"secure", Takes::a("true or false"), Js::flag)?.unwrap_or(default.secure),
            same_site: cookie.word_or(c"sameSite", same_sites, default.same_site)?,
            partitioned: cookie.flag(c"partitioned", false)?,
        })
    }

    /// Returns the options of a new session.
    pub fn create_session(self) -> Result<Create> {
        Ok(Create {
            ttl: self.ttl(c"ttl", None)?,
            tags: self.read(c"tags", Takes::a("an array of strings"), Js::texts)?.unwrap_or_default(),
            id: self.text(c"id", None)?,
            token: false,
        })
    }

    /// Returns the options of an update.
    pub fn update_session(self) -> Result<UpdateOptions> {
        Ok(UpdateOptions {
            ttl: self.ttl(c"ttl", None)?,
            remove: self.read(c"remove", Takes::a("an array of strings"), Js::texts)?.unwrap_or_default(),
        })
    }
}
