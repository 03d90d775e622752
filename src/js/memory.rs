//! How the addon's allocator treats what is freed.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use cinnabar_port::runtime;

use super::completions::{Completion, Completions};

/// The environments whose threads allocate.
static ENVIRONMENTS: Mutex<Vec<Weak<Completions>>> = Mutex::new(Vec::new());

/// Has freed pages given back to the system after large values. By itself the allocator keeps them until other calls give it an
/// occasion, which a quiet process never does. Giving back each page at once cost gets of 32 KB almost half their speed. What a
/// thread has allocated and another one freed, such as the value of a `set`, only the first can give back.
pub fn give_back_after_large_values(completions: &Arc<Completions>) {
    let mut environments = ENVIRONMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    environments.retain(|environment| environment.strong_count() > 0);
    environments.push(Arc::downgrade(completions));
    runtime::set_memory_trimmer(|| {
        give_back();
        let environments = ENVIRONMENTS.lock().unwrap_or_else(PoisonError::into_inner);
        for completions in environments.iter().filter_map(Weak::upgrade) {
            completions.push(Completion::GiveBackMemory);
        }
    });
}

/// Gives back what this thread's freed values occupy.
pub fn give_back() {
    // SAFETY: any thread may call it at any time; it looks at the allocator's own books.
    unsafe { libmimalloc_sys::mi_collect(true) };
}
