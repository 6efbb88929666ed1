//! The smallest JSON merge patch between two values. Pure.

use serde_json::{Map, Value};

/// The merge patch that turns `old` into `new`, or `None` if they are equal. Lists are replaced as a whole.
pub fn merge_patch(old: &Value, new: &Value) -> Option<Value> {
    if old == new {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return Some(new.clone());
    };
    let mut patch = Map::new();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in new {
        match old.get(key) {
            Some(before) => {
                patch.extend(merge_patch(before, value).map(|change| (key.clone(), change)))
            }
            None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    Some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_values_need_no_patch() {
        assert_eq!(
            merge_patch(&json!({"a": {"b": [1]}}), &json!({"a": {"b": [1]}})),
            None
        );
    }

    #[test]
    fn only_what_changed_is_sent() {
        let old = json!({"same": 1, "gone": 2, "deep": {"x": 1, "y": 2}, "list": [1, 2]});
        let new = json!({"same": 1, "deep": {"x": 1, "y": 3}, "list": [1], "fresh": {"z": 1}});
        let expected = json!({"gone": null, "deep": {"y": 3}, "list": [1], "fresh": {"z": 1}});
        assert_eq!(merge_patch(&old, &new), Some(expected));
    }

    #[test]
    fn kinds_may_change() {
        assert_eq!(
            merge_patch(&json!(null), &json!({"a": 1})),
            Some(json!({"a": 1}))
        );
        assert_eq!(
            merge_patch(&json!({"a": {"b": 1}}), &json!({"a": 2})),
            Some(json!({"a": 2}))
        );
    }
}
