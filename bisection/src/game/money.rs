//! The contract's money: what came in is locked, burned or has gone out, and every wei moves by one of these.

use std::collections::BTreeMap;

use crate::{Account, Refusal, Wei};

/// Amounts in wei. Stakes are fees and bonds that nobody is owed yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Money {
    received: u128,
    paid: u128,
    stakes: u128,
    owed: BTreeMap<Account, u128>,
    owed_total: u128,
    burned: u128,
}

impl Money {
    /// Whether `value` more can be received: no chain has 2^128 wei, so only a forged history cannot.
    pub fn holds(&self, value: Wei) -> bool {
        self.received.checked_add(value.0).is_some()
    }

    /// A fee or a bond comes in.
    pub fn stake(&mut self, value: Wei) {
        self.received = self.received.checked_add(value.0).expect("checked by `holds`");
        self.stakes += value.0;
    }

    /// A part of the stakes becomes owed to `account`.
    pub fn owe(&mut self, account: Account, amount: Wei) {
        self.release(amount);
        self.owed_total += amount.0;
        *self.owed.entry(account).or_default() += amount.0;
    }

    /// A part of the stakes is burned: it stays for ever.
    pub fn burn(&mut self, amount: Wei) {
        self.release(amount);
        self.burned += amount.0;
    }

    fn release(&mut self, amount: Wei) {
        self.stakes = self.stakes.checked_sub(amount.0).expect("a stake is released once");
    }

    /// Pays `account` all that it is owed.
    pub fn withdraw(&mut self, account: Account) -> Result<Wei, Refusal> {
        let amount = self.owed.remove(&account).filter(|amount| *amount > 0).ok_or(Refusal::NothingOwed)?;
        self.owed_total -= amount;
        self.paid += amount;
        Ok(Wei(amount))
    }

    /// What `account` may withdraw.
    pub fn owed(&self, account: Account) -> Wei {
        Wei(self.owed.get(&account).copied().unwrap_or_default())
    }

    /// Everybody who is owed anything.
    pub fn creditors(&self) -> BTreeMap<Account, Wei> {
        let positive = self.owed.iter().filter(|(_, amount)| **amount > 0);
        positive.map(|(account, amount)| (*account, Wei(*amount))).collect()
    }

    /// Fees and bonds that are not settled, and all that is owed.
    pub fn locked(&self) -> Wei {
        Wei(self.stakes + self.owed_total)
    }

    /// What was burned.
    pub fn burned(&self) -> Wei {
        Wei(self.burned)
    }

    /// What came in and has not gone out.
    pub fn balance(&self) -> Wei {
        Wei(self.received - self.paid)
    }

    /// In = out + locked + burned.
    pub fn check(&self) {
        let kept = self.locked().0.checked_add(self.burned);
        assert_eq!(Some(self.balance().0), kept, "the balance is what is locked and what is burned");
    }
}
