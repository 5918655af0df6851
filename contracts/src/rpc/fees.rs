//! What is offered for gas: enough for two doublings of a block's price less one, and never more than the cap.

use narrows_bisection::Wei;

use super::RpcError;
use super::config::RpcConfig;

/// An offer, in wei a gas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Price {
    /// The most that is paid in all.
    pub max: u128,
    /// The most of it that goes to whoever makes the block.
    pub priority: u128,
}

/// The first offer at this base fee: twice it, and the priority fee.
pub(super) fn offer(config: &RpcConfig, base_fee: Wei) -> Result<Price, RpcError> {
    let cap = config.fee_cap.0;
    if base_fee.0 > cap {
        return Err(RpcError::BaseFee { base_fee, cap: config.fee_cap });
    }
    let max = base_fee.0.saturating_mul(2).saturating_add(config.priority_fee.0).min(cap);
    Ok(Price { max, priority: config.priority_fee.0.min(max) })
}

/// The next offer for the same place: an eighth more than the last of each, which nodes ask for a replacement, and no
/// less than a first offer would be now. `None` when that is above the cap.
pub(super) fn raise(config: &RpcConfig, last: Price, base_fee: Wei) -> Option<Price> {
    let more = |amount: u128| amount.saturating_add(amount / 8).saturating_add(1);
    let fresh = offer(config, base_fee).ok()?;
    let max = more(last.max).max(fresh.max);
    let priority = more(last.priority).max(fresh.priority);
    (max <= config.fee_cap.0).then_some(Price { max, priority: priority.min(max) })
}

/// The gas that a transaction is given when `estimate` was estimated; `None` when that is more than may be had.
pub(super) fn gas_limit(config: &RpcConfig, estimate: u64) -> Option<u64> {
    let with_margin = estimate.saturating_add(estimate.saturating_mul(config.gas_margin_percent) / 100);
    (estimate <= config.gas_cap).then(|| with_margin.min(config.gas_cap))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(cap: u128, priority: u128) -> RpcConfig {
        RpcConfig {
            fee_cap: Wei(cap),
            priority_fee: Wei(priority),
            gas_cap: 1000,
            ..RpcConfig::new("http://x")
        }
    }

    #[test]
    fn an_offer_keeps_to_the_cap() {
        assert_eq!(offer(&config(100, 3), Wei(10)), Ok(Price { max: 23, priority: 3 }));
        assert_eq!(offer(&config(20, 3), Wei(10)), Ok(Price { max: 20, priority: 3 }));
        assert_eq!(offer(&config(10, 30), Wei(10)), Ok(Price { max: 10, priority: 10 }));
        let above = Err(RpcError::BaseFee { base_fee: Wei(11), cap: Wei(10) });
        assert_eq!(offer(&config(10, 3), Wei(11)), above);
        let most = Price { max: u128::MAX, priority: u128::MAX };
        assert_eq!(offer(&config(u128::MAX, u128::MAX), Wei(u128::MAX)), Ok(most));
    }

    #[test]
    fn each_raise_is_taken_by_a_node_and_they_end_at_the_cap() {
        let config = config(1_000_000, 0);
        let mut price = offer(&config, Wei(1_000)).expect("an offer");
        let mut raises = 0;
        while let Some(next) = raise(&config, price, Wei(1_000)) {
            // Nodes ask for a tenth more of both.
            assert!(next.max * 10 >= price.max * 11 && next.priority > price.priority);
            assert!(next.max <= 1_000_000 && next.priority <= next.max);
            (price, raises) = (next, raises + 1);
        }
        assert!(raises > 20 && price.max > 800_000, "{raises} raises to {price:?}");
        // A base fee that has risen meanwhile counts.
        let risen = raise(&config, Price { max: 2_000, priority: 0 }, Wei(100_000)).expect("below the cap");
        assert_eq!(risen.max, 200_000);
        assert_eq!(raise(&config, price, Wei(1_000_001)), None);
    }

    #[test]
    fn gas_has_a_margin_up_to_the_cap() {
        let config = config(1, 1);
        assert_eq!(gas_limit(&config, 100), Some(125));
        assert_eq!(gas_limit(&config, 900), Some(1000));
        assert_eq!(gas_limit(&config, 1000), Some(1000));
        assert_eq!(gas_limit(&config, 1001), None);
        assert_eq!(gas_limit(&config, u64::MAX), None);
    }
}
