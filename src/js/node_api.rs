//! The Node-API calls of the hot path, without the overhead of wrappers.

use std::ptr;

use bytes::Bytes;
use cinnabar_port::{
    error::{Error, Kind, Result},
    number,
};
use napi::{bindgen_prelude::ToNapiValue, sys};

/// A value of the current call; it is invalid after the call has returned to JavaScript.
pub type Value = sys::napi_value;

/// A value that a native method returns unchanged.
pub struct RawValue(pub Value);

impl ToNapiValue for RawValue {
    unsafe fn to_napi_value(_: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        Ok(value.0)
    }
}

/// The environment of the current call. It is used on the JavaScript thread only.
#[derive(Clone, Copy)]
pub struct Js(pub sys::napi_env);

/// A reference to a value, valid beyond the call that created it.
pub struct Reference(pub sys::napi_ref);

/// A reference that is deleted when it is dropped, on the thread of its environment.
pub struct OwnedReference {
    js: Js,
    reference: Option<Reference>,
}

impl OwnedReference {
    /// Returns the value; `undefined` if the reference was weak and the value was collected.
    pub fn value(&self) -> Value {
        let value = self
            .reference
            .as_ref()
            .map(|reference| self.js.reference_value(reference))
            .filter(|value| !value.is_null());
        value.unwrap_or_else(|| self.js.undefined())
    }
}

impl Drop for OwnedReference {
    fn drop(&mut self) {
        if let Some(reference) = self.reference.take() {
            self.js.delete_reference(reference);
        }
    }
}

/// A value thrown by a JavaScript function.
pub struct Thrown(pub Value);

/// Runs a Node-API call that writes one result.
macro_rules! made {
    ($result:ident => $call:expr) => {{
        let mut $result = ptr::null_mut();
        // SAFETY: `env` is the environment of the running call and the out pointer is a local.
        let status = unsafe { $call };
        (status == sys::Status::napi_ok).then_some($result)
    }};
}

impl Js {
    /// `undefined`.
    pub fn undefined(self) -> Value {
        made!(value => sys::napi_get_undefined(self.0, &mut value)).unwrap_or(ptr::null_mut())
    }

    /// `null`.
    pub fn null(self) -> Value {
        made!(value => sys::napi_get_null(self.0, &mut value)).unwrap_or(ptr::null_mut())
    }

    /// `true` or `false`.
    pub fn boolean(self, flag: bool) -> Value {
        made!(value => sys::napi_get_boolean(self.0, flag, &mut value)).unwrap_or(ptr::null_mut())
    }

    /// A number.
    pub fn number(self, number: f64) -> Value {
        made!(value => sys::napi_create_double(self.0, number, &mut value)).unwrap_or(ptr::null_mut())
    }

    /// A string. ASCII uses the cheaper call; invalid UTF-8 becomes U+FFFD.
    pub fn string(self, bytes: &[u8]) -> Result<Value> {
        self.known_string(bytes, bytes.is_ascii())
    }

    /// A string of bytes that are known to be ASCII, or not.
    pub fn known_string(self, bytes: &[u8], ascii: bool) -> Result<Value> {
        let (text, length) = (bytes.as_ptr().cast(), bytes.len() as isize);
        let made = if ascii {
            made!(value => sys::napi_create_string_latin1(self.0, text, length, &mut value))
        } else {
            made!(value => sys::napi_create_string_utf8(self.0, text, length, &mut value))
        };
        made.ok_or_else(|| {
            self.clear_exception();
            Error::new(
                Kind::InvalidData,
                format!("a value of {} bytes is too long for a JavaScript string", bytes.len()),
            )
        })
    }

    /// A `Buffer` with a copy of these bytes.
    pub fn buffer(self, bytes: &[u8]) -> Result<Value> {
        let data = bytes.as_ptr().cast();
        let made = made!(value => sys::napi_create_buffer_copy(self.0, bytes.len(), data, ptr::null_mut(), &mut value));
        made.ok_or_else(|| {
            self.clear_exception();
            Error::new(Kind::InvalidData, format!("a value of {} bytes is too long for a Buffer", bytes.len()))
        })
    }

    /// An empty object.
    pub fn object(self) -> Value {
        made!(value => sys::napi_create_object(self.0, &mut value)).unwrap_or(ptr::null_mut())
    }

    /// Sets `object[name] = value`. Defined, not assigned, so that `__proto__` is a name like any other.
    pub fn define(self, object: Value, name: Value, value: Value) {
        let property = sys::napi_property_descriptor {
            utf8name: ptr::null(),
            name,
            method: None,
            getter: None,
            setter: None,
            value,
            attributes: sys::PropertyAttributes::writable
                | sys::PropertyAttributes::enumerable
                | sys::PropertyAttributes::configurable,
            data: ptr::null_mut(),
        };
        // SAFETY: one descriptor that outlives the call.
        unsafe { sys::napi_define_properties(self.0, object, 1, &property) };
    }

    /// Sets `object.name = value`.
    pub fn set(self, object: Value, name: &'static std::ffi::CStr, value: Value) {
        // SAFETY: the name ends in NUL and the values belong to this environment.
        unsafe { sys::napi_set_named_property(self.0, object, name.as_ptr(), value) };
    }

    /// `object[name]`, or `undefined`.
    pub fn get(self, object: Value, name: &'static std::ffi::CStr) -> Result<Value, Thrown> {
        match made!(value => sys::napi_get_named_property(self.0, object, name.as_ptr(), &mut value)) {
            Some(value) => Ok(value),
            None => Err(self.thrown()),
        }
    }

    /// Whether this is an own property of the object.
    pub fn owns(self, object: Value, name: &std::ffi::CStr) -> bool {
        let Ok(key) = self.string(name.to_bytes()) else { return false };
        let mut own = false;
        // SAFETY: both values belong to this scope; the out pointer is to a local.
        let status = unsafe { sys::napi_has_own_property(self.0, object, key, &mut own) };
        if status != sys::Status::napi_ok {
            let _ = self.thrown();
        }
        status == sys::Status::napi_ok && own
    }

    /// A plain object of counters.
    pub fn counts(self, counts: &[(&'static std::ffi::CStr, u64)]) -> Value {
        let object = self.object();
        for (name, count) in counts {
            self.set(object, name, self.number(*count as f64));
        }
        object
    }

    /// An array of this length.
    pub fn array(self, length: usize) -> Value {
        made!(value => sys::napi_create_array_with_length(self.0, length, &mut value)).unwrap_or(ptr::null_mut())
    }

    /// `array[index] = value`.
    pub fn set_index(self, array: Value, index: usize, value: Value) {
        // SAFETY: both values belong to this environment.
        unsafe { sys::napi_set_element(self.0, array, index as u32, value) };
    }

    /// `array[index]`.
    pub fn index(self, array: Value, index: usize) -> Result<Value, Thrown> {
        match made!(value => sys::napi_get_element(self.0, array, index as u32, &mut value)) {
            Some(value) => Ok(value),
            None => Err(self.thrown()),
        }
    }

    /// Whether it is a promise.
    pub fn is_promise(self, value: Value) -> bool {
        let mut is = false;
        // SAFETY: the out pointer is a local.
        let status = unsafe { sys::napi_is_promise(self.0, value, &mut is) };
        status == sys::Status::napi_ok && is
    }

    /// Returns the length of an array, or `None` for anything else.
    pub fn array_length(self, value: Value) -> Option<usize> {
        let (mut is_array, mut length) = (false, 0);
        // SAFETY: the out pointers are locals.
        let status = unsafe { sys::napi_is_array(self.0, value, &mut is_array) };
        if status != sys::Status::napi_ok || !is_array {
            return None;
        }
        // SAFETY: as above.
        let status = unsafe { sys::napi_get_array_length(self.0, value, &mut length) };
        (status == sys::Status::napi_ok).then_some(length as usize)
    }

    /// Returns the type as `typeof` does, except that `null` is a type of its own.
    pub fn kind(self, value: Value) -> i32 {
        let mut kind = sys::ValueType::napi_undefined;
        // SAFETY: the out pointer is a local.
        unsafe { sys::napi_typeof(self.0, value, &mut kind) };
        kind
    }

    /// Whether it is `undefined` or `null`.
    pub fn is_nothing(self, value: Value) -> bool {
        matches!(self.kind(value), sys::ValueType::napi_undefined | sys::ValueType::napi_null)
    }

    /// Formats a finite number as `String(number)` does.
    pub fn number_text(self, value: Value, number: f64) -> Option<Bytes> {
        // Minus zero becomes 0, as in JavaScript.
        if number::is_safe_integer(number) {
            return Some(Bytes::copy_from_slice(itoa::Buffer::new().format(number as i64).as_bytes()));
        }
        let text = made!(text => sys::napi_coerce_to_string(self.0, value, &mut text))?;
        // No number takes more than 24 characters in JavaScript's notation.
        let (mut characters, mut length) = ([0_u8; 40], 0);
        // SAFETY: the buffer has the given length, including the NUL.
        let status = unsafe {
            sys::napi_get_value_string_latin1(
                self.0,
                text,
                characters.as_mut_ptr().cast(),
                characters.len(),
                &mut length,
            )
        };
        (status == sys::Status::napi_ok).then(|| Bytes::copy_from_slice(&characters[..length]))
    }

    /// Returns the number, if it is one.
    pub fn as_number(self, value: Value) -> Option<f64> {
        let mut number = 0.0;
        // SAFETY: the out pointer is a local.
        let status = unsafe { sys::napi_get_value_double(self.0, value, &mut number) };
        (status == sys::Status::napi_ok).then_some(number)
    }

    /// Returns the boolean, if it is one.
    pub fn as_boolean(self, value: Value) -> Option<bool> {
        let mut flag = false;
        // SAFETY: the out pointer is a local.
        let status = unsafe { sys::napi_get_value_bool(self.0, value, &mut flag) };
        (status == sys::Status::napi_ok).then_some(flag)
    }

    /// Calls a function.
    pub fn call(self, function: Value, args: &[Value]) -> Result<Value, Thrown> {
        let this = self.undefined();
        match made!(value => sys::napi_call_function(self.0, this, function, args.len(), args.as_ptr(), &mut value)) {
            Some(value) => Ok(value),
            None => Err(self.thrown()),
        }
    }

    /// `new constructor(…args)`.
    pub fn construct(self, constructor: Value, args: &[Value]) -> Result<Value, Thrown> {
        match made!(value => sys::napi_new_instance(self.0, constructor, args.len(), args.as_ptr(), &mut value)) {
            Some(value) => Ok(value),
            None => Err(self.thrown()),
        }
    }

    /// A plain `Error`; its stack is that of the running JavaScript.
    pub fn error(self, message: &str) -> Option<Value> {
        let message = self.string(message.as_bytes()).ok()?;
        made!(value => sys::napi_create_error(self.0, ptr::null_mut(), message, &mut value))
    }

    /// A native function with a data pointer.
    pub fn function(self, callback: sys::napi_callback, data: *mut std::ffi::c_void) -> Option<Value> {
        made!(value => sys::napi_create_function(self.0, c"flush".as_ptr(), 5, callback, data, &mut value))
    }

    /// Creates a reference, valid until `delete_reference`.
    pub fn create_reference(self, value: Value) -> Option<Reference> {
        made!(reference => sys::napi_create_reference(self.0, value, 1, &mut reference)).map(Reference)
    }

    /// Creates a reference that is deleted when it is dropped.
    pub fn owned_reference(self, value: Value) -> Option<OwnedReference> {
        self.create_reference(value).map(|reference| OwnedReference { js: self, reference: Some(reference) })
    }

    /// Creates a reference that does not prevent collection of the object.
    pub fn weak_reference(self, object: Value) -> Option<OwnedReference> {
        made!(reference => sys::napi_create_reference(self.0, object, 0, &mut reference))
            .map(|reference| OwnedReference { js: self, reference: Some(Reference(reference)) })
    }

    /// Whether two values are the same one.
    pub fn same(self, one: Value, other: Value) -> bool {
        let mut same = false;
        // SAFETY: the out pointer is a local.
        unsafe { sys::napi_strict_equals(self.0, one, other, &mut same) };
        same
    }

    /// Returns the value of a reference.
    pub fn reference_value(self, reference: &Reference) -> Value {
        made!(value => sys::napi_get_reference_value(self.0, reference.0, &mut value))
            .unwrap_or_else(|| self.undefined())
    }

    /// Lets a reference value go.
    pub fn delete_reference(self, reference: Reference) {
        // SAFETY: the reference was created by `create_reference` and is consumed here.
        unsafe { sys::napi_delete_reference(self.0, reference.0) };
    }

    /// Creates a promise, with the deferred that settles it.
    pub fn promise(self) -> Option<(Value, sys::napi_deferred)> {
        let mut deferred = ptr::null_mut();
        made!(promise => sys::napi_create_promise(self.0, &mut deferred, &mut promise))
            .map(|promise| (promise, deferred))
    }

    /// Resolves a promise, which consumes the deferred.
    pub fn resolve(self, deferred: sys::napi_deferred, value: Value) {
        // SAFETY: every deferred is settled exactly once: its ticket is consumed.
        unsafe { sys::napi_resolve_deferred(self.0, deferred, value) };
    }

    /// Rejects a promise, which consumes the deferred.
    pub fn reject(self, deferred: sys::napi_deferred, error: Value) {
        // SAFETY: as above.
        unsafe { sys::napi_reject_deferred(self.0, deferred, error) };
    }

    /// Runs `work` in a handle scope, so that the values it creates can be collected afterwards.
    pub fn scope<T>(self, work: impl FnOnce() -> T) -> T {
        let scope = made!(scope => sys::napi_open_handle_scope(self.0, &mut scope));
        let result = work();
        if let Some(scope) = scope {
            // SAFETY: opened above, and no value created inside is used any more.
            unsafe { sys::napi_close_handle_scope(self.0, scope) };
        }
        result
    }

    /// Takes the pending exception, so that JavaScript can continue.
    pub fn thrown(self) -> Thrown {
        Thrown(
            made!(error => sys::napi_get_and_clear_last_exception(self.0, &mut error))
                .unwrap_or_else(|| self.undefined()),
        )
    }

    /// Forgets the exception of a failed call, if it has thrown one.
    pub fn clear_exception(self) {
        let mut pending = false;
        // SAFETY: the out pointer is a local.
        unsafe { sys::napi_is_exception_pending(self.0, &mut pending) };
        if pending {
            self.thrown();
        }
    }
}
