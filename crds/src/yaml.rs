//! YAML with a fixed order of keys, so that generated files change only when their content does.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// A value cannot be written as YAML.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be turned into plain data.
    #[error("not plain data: {0}")]
    Data(#[from] serde_json::Error),
    /// The YAML writer refused it.
    #[error("not writable as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser::Error),
}

/// Writes `value` with its keys in alphabetical order and whole numbers without a fraction.
///
/// # Errors
/// The value holds what JSON or YAML cannot.
pub fn render(value: &impl Serialize) -> Result<String, Error> {
    Ok(serde_saphyr::to_string(&Node::from(serde_json::to_value(
        value,
    )?))?)
}

/// A JSON value whose maps are sorted, whatever the features of `serde_json`.
#[derive(Serialize)]
#[serde(untagged)]
enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(b),
            Value::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(int), _) => Self::Int(int),
                // Up to 2^53 every whole f64 is one exact integer.
                (None, Some(f)) if f.fract() == 0.0 && f.abs() <= 9_007_199_254_740_992.0 => {
                    Self::Int(f as i64)
                }
                (None, Some(f)) => Self::Float(f),
                (None, None) => Self::Null,
            },
            Value::String(s) => Self::Text(s),
            Value::Array(list) => Self::List(list.into_iter().map(Self::from).collect()),
            Value::Object(map) => {
                Self::Map(map.into_iter().map(|(k, v)| (k, Self::from(v))).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::render;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_whole_numbers_have_no_fraction() {
        let text =
            render(&json!({"b": 1.0, "a": [true, 0.5], "c": {"z": "1", "x": null}})).unwrap();
        assert_eq!(text, "a:\n- true\n- 0.5\nb: 1\nc:\n  x: null\n  z: \"1\"\n");
    }
}
