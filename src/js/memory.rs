//! How the addon's allocator treats what is freed.

use std::sync::Once;

/// `mi_option_purge_delay` of mimalloc.h, which the crate has no name for; the same number in versions 2 and 3.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Gives freed pages back to the system at once. By default the allocator does so a little later, on the occasion of other calls,
/// and in a quiet process never: one large value would stay for good. `MIMALLOC_PURGE_DELAY` still decides otherwise.
pub fn give_back_at_once() {
    static ONCE: Once = Once::new();
    // SAFETY: sets a number; the allocator reads it when it frees.
    ONCE.call_once(|| unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, 0) });
}
