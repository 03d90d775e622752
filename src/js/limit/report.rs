//! What a limiter reports, as an event for the log.

use cinnabar_core::{
    features::limit::{Notice, Source},
    store::Store,
};
use cinnabar_port::{Event, EventKind};

/// Returns the event.
pub fn event(store: &Store, notice: &Notice) -> Event {
    let target = store.status().servers.first().map(|server| server.target.clone()).unwrap_or_default();
    let counter = if target.is_empty() { "the store" } else { &target };
    match notice {
        Notice::Fallback(source) => {
            let instead = match source {
                Source::Local => "they are counted in this process alone",
                _ => "onUnavailable decides without counting",
            };
            let text = format!("rate limits cannot be counted by {counter}: {instead}");
            Event::new(EventKind::LimitFallback, &*target, text)
        }
        Notice::Restored => {
            let text = format!("rate limits are counted by {counter} again");
            Event::new(EventKind::LimitRestored, &*target, text)
        }
        Notice::Refused { offender, unreported } => {
            let policy = if offender.policy.is_empty() { String::new() } else { format!("{} ", offender.policy) };
            let others = match unreported {
                0 => String::new(),
                count => format!("; {count} others were refused since the last report"),
            };
            // Quoted, because it comes from a client.
            let refused = if offender.refused == 1 { "once".to_owned() } else { format!("{} times", offender.refused) };
            let text = format!("rate limit {policy}refuses {:?}, so far {refused}{others}", offender.id);
            Event::new(EventKind::LimitRefused, &*target, text)
        }
    }
}
