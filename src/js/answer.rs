//! Answers as JavaScript values.

use super::{
    env::{Js, Value},
    failure::Failures,
};
use crate::{answer::Answer, error::Result};

impl Answer {
    /// The JavaScript value.
    pub fn build(self, js: Js, parse: Value, failures: &Failures) -> Result<Value> {
        Ok(match self {
            Self::Undefined => js.undefined(),
            Self::Null => js.null(),
            Self::Bool(flag) => js.boolean(flag),
            Self::Number(number) => js.number(number),
            Self::Text(text) => js.string(&text)?,
            Self::Json(text) => js.parse(parse, &text)?,
            Self::List(items) => {
                let array = js.array(items.len());
                for (index, item) in items.into_iter().enumerate() {
                    let item = item.build(js, parse, failures)?;
                    js.set_index(array, index, item);
                }
                array
            }
            Self::Object(fields) => {
                let object = js.object();
                for (name, value) in fields {
                    let value = value.build(js, parse, failures)?;
                    js.define(object, js.string(name.as_bytes())?, value);
                }
                object
            }
            Self::Failure(error) => failures.build(js, &error, None),
        })
    }
}
