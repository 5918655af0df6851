//! Amounts of money as people write them.

use narrows_bisection::Wei;

/// Wei in a gwei, and in an ether: powers of ten.
const GWEI: u32 = 9;
const ETHER: u32 = 18;

/// Reads a decimal number with a unit behind it: `wei`, `gwei` or `eth`.
///
/// # Errors
/// What to write instead.
pub fn amount(text: &str) -> Result<Wei, String> {
    let bad = || format!("'{text}' is no amount; give a number and its unit, as 0.01eth, 5gwei or 1000wei");
    let at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
    let digits = match text[at..].to_ascii_lowercase().as_str() {
        "wei" => 0,
        "gwei" => GWEI,
        "eth" => ETHER,
        _ => return Err(bad()),
    };
    decimal(text[..at].trim(), digits).ok_or_else(bad)
}

/// Reads a decimal number of gwei.
///
/// # Errors
/// What to write instead.
pub fn gwei(text: &str) -> Result<Wei, String> {
    let read = decimal(text, GWEI).filter(|wei| u64::try_from(wei.0).is_ok());
    read.ok_or_else(|| format!("'{text}' is no gas price; give gwei, as 0.05 or 20"))
}

/// A decimal number times 10^`digits`, exactly.
fn decimal(text: &str, digits: u32) -> Option<Wei> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) {
        return None;
    }
    let part = part.trim_end_matches('0');
    let missing = digits.checked_sub(u32::try_from(part.len()).ok()?)?;
    let number: u128 = format!("{whole}{part}").parse().ok()?;
    number.checked_mul(10u128.checked_pow(missing)?).map(Wei)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly() {
        for (text, wei) in [
            ("0wei", 0),
            ("1000wei", 1000),
            ("5gwei", 5_000_000_000),
            ("0.000000001gwei", 1),
            ("0.01eth", 10_000_000_000_000_000),
            ("1.50 ETH", 1_500_000_000_000_000_000),
            ("340282366920938463463374607431768211455wei", u128::MAX),
        ] {
            assert_eq!(amount(text), Ok(Wei(wei)), "{text}");
        }
        assert_eq!((gwei("0.05"), gwei("20")), (Ok(Wei(50_000_000)), Ok(Wei(20_000_000_000))));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        let too_much = "340282366920938463463374607431768211456wei";
        for text in [
            "",
            "1",
            "eth",
            "-1eth",
            "1e3wei",
            ".5eth",
            "1.eth",
            "0.5wei",
            "1btc",
            "1.0000000001gwei",
            too_much,
        ] {
            assert!(amount(text).is_err(), "{text}");
        }
        for text in ["", "x", "-1", "1gwei", "18446744074"] {
            assert!(gwei(text).is_err(), "{text}");
        }
    }
}
