//! Memory that JavaScript reads without a call.

use std::{ffi::c_void, ptr, sync::Arc};

use cinnabar_core::features::Words;
use napi::sys;

use super::node_api::{Js, Value};

impl Js {
    /// Returns a `Float64Array` over these numbers; `None` where a runtime allows no memory of others.
    pub fn shared_numbers(self, words: Arc<Words>) -> Option<Value> {
        let (count, data) = (words.as_slice().len(), words.as_slice().as_ptr().cast_mut().cast::<c_void>());
        let hint = Arc::into_raw(words).cast_mut().cast::<c_void>();
        let mut buffer = ptr::null_mut();
        // SAFETY: the memory lives until `release` drops the reference to it. Rust writes it atomically, and JavaScript only reads it.
        let status = unsafe {
            sys::napi_create_external_arraybuffer(
                self.0,
                data,
                count * size_of::<f64>(),
                Some(release),
                hint,
                &mut buffer,
            )
        };
        if status != sys::Status::napi_ok {
            self.clear_exception();
            // SAFETY: nothing else took the reference over.
            drop(unsafe { Arc::from_raw(hint.cast_const().cast::<Words>()) });
            return None;
        }
        let mut array = ptr::null_mut();
        // SAFETY: the buffer has room for that many numbers, and is aligned for them.
        let status = unsafe {
            sys::napi_create_typedarray(self.0, sys::TypedarrayType::float64_array, count, buffer, 0, &mut array)
        };
        if status != sys::Status::napi_ok {
            self.clear_exception();
            return None;
        }
        Some(array)
    }
}

/// Drops JavaScript's reference to the memory.
unsafe extern "C" fn release(_: sys::napi_env, _: *mut c_void, hint: *mut c_void) {
    // SAFETY: it was made by `Arc::into_raw`, and this is called once.
    drop(unsafe { Arc::from_raw(hint.cast_const().cast::<Words>()) });
}
