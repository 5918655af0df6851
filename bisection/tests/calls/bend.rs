//! One small change anywhere in a call: a bit, a number, the length of a list.

use narrows_bisection::Call;
use serde_json::Value;

use super::rng::Rng;

/// The call with one change; itself when it has nothing that could be changed.
pub fn bend(rng: &mut Rng, call: &Call) -> Call {
    let whole = serde_json::to_value(call).expect("a call is data");
    for _ in 0..8 {
        let mut bent = whole.clone();
        let places = count(&bent);
        if places == 0 {
            return call.clone();
        }
        let mut at = rng.below(places);
        change(rng, "", &mut bent, &mut at);
        // What no type holds is tried again.
        if let Ok(bent) = serde_json::from_value::<Call>(bent)
            && bent != *call
        {
            return bent;
        }
    }
    call.clone()
}

/// Places that can be changed: every number and text, and every list as such.
fn count(value: &Value) -> usize {
    match value {
        Value::Number(_) | Value::String(_) => 1,
        // Not the names of fields, so that an object counts for what it holds.
        Value::Object(fields) => fields.values().map(count).sum(),
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>().min(4),
        Value::Null | Value::Bool(_) => 0,
    }
}

/// Changes place `at` of `value`, which is called `name`.
fn change(rng: &mut Rng, name: &str, value: &mut Value, at: &mut usize) {
    match value {
        Value::Number(number) => *value = bent_number(rng, number),
        Value::String(text) => *text = bent_text(rng, name, text),
        Value::Object(fields) => {
            for (name, field) in fields {
                let places = count(field);
                if *at < places {
                    return change(rng, name, field, at);
                }
                *at -= places;
            }
        }
        Value::Array(items) => {
            if *at == 0 || items.is_empty() {
                return bent_list(rng, items);
            }
            // Long lists count for no more than four of their items: any of them, then.
            let item = rng.below(items.len());
            let mut inside = rng.below(count(&items[item]).max(1));
            change(rng, name, &mut items[item], &mut inside);
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn bent_number(rng: &mut Rng, number: &serde_json::Number) -> Value {
    let Some(old) = number.as_i64() else { return Value::from(0) };
    match rng.below(8) {
        0 => Value::from(0),
        1 => Value::from(old.wrapping_neg()),
        2 => Value::from(u64::MAX),
        3 => Value::from(u32::MAX),
        4 => Value::from(255),
        5 | 6 => Value::from(old.saturating_add(1)),
        _ => Value::from(old.saturating_sub(1)),
    }
}

/// Hexadecimal digits, with 0x in front where the length is fixed; a bond in decimals.
fn bent_text(rng: &mut Rng, name: &str, text: &str) -> String {
    if name == "bond" {
        let old: u128 = text.parse().expect("an amount");
        return if rng.chance(50) { old + 1 } else { old / 2 }.to_string();
    }
    let (prefix, digits) = match text.strip_prefix("0x") {
        Some(digits) => ("0x", digits),
        None => ("", text),
    };
    // A digest and an account have their length; other bytes may lose or win some.
    let fixed = matches!(digits.len(), 40 | 64) && (prefix == "0x" || digits.len() == 64);
    let mut digits = digits.to_owned();
    match rng.below(if fixed { 3 } else { 7 }) {
        0 if fixed => digits = "0".repeat(digits.len()),
        3 => digits.truncate(digits.len().saturating_sub(2)),
        4 => digits.push_str("00"),
        5 => digits.clear(),
        6 => digits.truncate(digits.len().saturating_sub(64)),
        _ if digits.is_empty() => digits.push_str("01"),
        _ => {
            let at = rng.below(digits.len());
            let old = u8::from_str_radix(&digits[at..=at], 16).unwrap_or_default();
            digits.replace_range(at..=at, &format!("{:x}", old ^ (1 << rng.below(4))));
        }
    }
    format!("{prefix}{digits}")
}

fn bent_list(rng: &mut Rng, items: &mut Vec<Value>) {
    if items.is_empty() {
        // Most lists hold digests.
        items.push(Value::from("0".repeat(64)));
        return;
    }
    match rng.below(5) {
        0 => {
            items.pop();
        }
        1 => items.push(items[items.len() - 1].clone()),
        2 => items.clear(),
        3 => {
            items.remove(0);
        }
        _ => {
            let (a, b) = (rng.below(items.len()), rng.below(items.len()));
            items.swap(a, b);
        }
    }
}
