//! The values of promises as JavaScript values.

use cinnabar_core::output::Output;
use cinnabar_port::error::{Error, Kind, Result};

use super::{
    error_class::ErrorDetails,
    js_functions::JsFunctions,
    node_api::{Js, Value},
};

/// Builds the JavaScript value of an output.
pub fn build(output: Output, js: Js, functions: &JsFunctions) -> Result<Value> {
    Ok(match output {
        Output::Undefined => js.undefined(),
        Output::Null => js.null(),
        Output::Bool(flag) => js.boolean(flag),
        Output::Number(number) => js.number(number),
        Output::Text(text) => js.known_string(&text.bytes, text.ascii)?,
        Output::Bytes(bytes) => js.buffer(&bytes)?,
        Output::Json(text) => {
            js.parse(js.reference_value(&functions.parse), js.known_string(&text.bytes, text.ascii)?)?
        }
        Output::JsonRecord(text) => {
            let parsed = js.parse(js.reference_value(&functions.parse), js.known_string(&text.bytes, text.ascii)?)?;
            record(js, functions, &[parsed])?
        }
        Output::List(items) => {
            let array = js.array(items.len());
            for (index, item) in items.into_iter().enumerate() {
                let item = build(item, js, functions)?;
                js.set_index(array, index, item);
            }
            array
        }
        Output::Object(fields) => {
            let object = js.object();
            for (name, value) in fields {
                let value = build(value, js, functions)?;
                js.define(object, js.string(name.as_bytes())?, value);
            }
            object
        }
        Output::Record(fields) => {
            let object = record(js, functions, &[])?;
            for (name, value) in fields {
                let value = build(value, js, functions)?;
                js.define(object, js.string(name.as_bytes())?, value);
            }
            object
        }
        Output::RateLimit(result) => {
            let number = |number: Option<f64>| js.number(number.unwrap_or(f64::INFINITY));
            let reset = result.reset_ms.map_or_else(|| js.undefined(), |reset| js.number(reset as f64));
            let charge = match &result.charge {
                Some(charge) => js.string(charge.as_bytes())?,
                None => js.undefined(),
            };
            let args = [
                js.boolean(result.allowed),
                number(result.limit.map(|limit| limit as f64)),
                number(result.remaining.map(|remaining| remaining as f64)),
                reset,
                js.number(result.reset_after_ms as f64),
                number(result.retry_after_ms.map(|wait| wait as f64)),
                js.number(f64::from(result.source as u8)),
                js.boolean(result.shadow_denied),
                charge,
            ];
            js.call(js.reference_value(&functions.checked), &args)
                .map_err(|_| Error::new(Kind::Internal, "the rate-limit result could not be built"))?
        }
        Output::Failure(error) => functions.error_class.build(js, &error, None, ErrorDetails::default()),
    })
}

/// Turns an object into one without a prototype.
fn record(js: Js, functions: &JsFunctions, object: &[Value]) -> Result<Value> {
    let made = js.call(js.reference_value(&functions.record), object);
    made.map_err(|_| Error::new(Kind::Internal, "an object without a prototype could not be created"))
}
