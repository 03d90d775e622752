//! Answers as JavaScript values.

use cinnabar_core::answer::Answer;
use cinnabar_port::error::{Error, Kind, Result};

use super::{
    failure::More,
    functions::Functions,
    node_api::{Js, Value},
};

/// The JavaScript value of an answer.
pub fn build(answer: Answer, js: Js, functions: &Functions) -> Result<Value> {
    Ok(match answer {
        Answer::Undefined => js.undefined(),
        Answer::Null => js.null(),
        Answer::Bool(flag) => js.boolean(flag),
        Answer::Number(number) => js.number(number),
        Answer::Text(text) => js.known_string(&text.bytes, text.ascii)?,
        Answer::Bytes(bytes) => js.buffer(&bytes)?,
        Answer::Json(text) => js.parse(js.kept(&functions.parse), js.known_string(&text.bytes, text.ascii)?)?,
        Answer::JsonRecord(text) => {
            let parsed = js.parse(js.kept(&functions.parse), js.known_string(&text.bytes, text.ascii)?)?;
            record(js, functions, &[parsed])?
        }
        Answer::List(items) => {
            let array = js.array(items.len());
            for (index, item) in items.into_iter().enumerate() {
                let item = build(item, js, functions)?;
                js.set_index(array, index, item);
            }
            array
        }
        Answer::Object(fields) => {
            let object = js.object();
            for (name, value) in fields {
                let value = build(value, js, functions)?;
                js.define(object, js.string(name.as_bytes())?, value);
            }
            object
        }
        Answer::Record(fields) => {
            let object = record(js, functions, &[])?;
            for (name, value) in fields {
                let value = build(value, js, functions)?;
                js.define(object, js.string(name.as_bytes())?, value);
            }
            object
        }
        Answer::Checked { allowed, remaining, reset_ms, retry_after_ms, limit, source } => {
            let reset = reset_ms.map_or_else(|| js.undefined(), |reset| js.number(reset as f64));
            let args = [
                js.boolean(allowed),
                js.number(remaining as f64),
                reset,
                js.number(retry_after_ms as f64),
                js.number(limit as f64),
                js.number(f64::from(source as u8)),
            ];
            js.call(js.kept(&functions.checked), &args)
                .map_err(|_| Error::new(Kind::Internal, "the answer of a limit could not be made"))?
        }
        Answer::Failure(error) => functions.failures.build(js, &error, None, More::default()),
    })
}

/// Turns an object into one without a prototype.
fn record(js: Js, functions: &Functions, object: &[Value]) -> Result<Value> {
    let made = js.call(js.kept(&functions.record), object);
    made.map_err(|_| Error::new(Kind::Internal, "an object without a prototype could not be created"))
}
