//! Calls that are refused: one fault over another.

use narrows_bisection::{Account, Call, Refusal, Wei};
use narrows_commitment::Digest;

use super::{CHALLENGER, NOTHING, STRANGER, World, carried};

/// A call as it is made.
#[derive(Debug, Clone)]
pub struct Message {
    pub now: u64,
    pub sender: Account,
    pub value: Wei,
    pub call: Call,
}

/// Brings one fault into a message.
pub type Bend = Box<dyn Fn(&mut Message)>;

/// A bend of some fields of a call.
#[macro_export]
macro_rules! bend {
    ($variant:ident { $($field:ident),+ } $body:expr) => {
        Box::new(move |message: &mut $crate::game_support::Message| {
            let narrows_bisection::Call::$variant { $($field,)+ .. } = &mut message.call else { panic!("another call") };
            $body;
        })
    };
}

/// Each bend alone is refused as said, and over all those before it too.
pub fn refused_in_order(world: &World, good: &Message, bends: &[(Refusal, Bend)]) {
    let send = |message: &Message| {
        let mut world = world.clone();
        world.now = message.now;
        world.send(message.sender, message.value, &message.call).map(|_| ())
    };
    assert_eq!(send(good), Ok(()), "{} itself stands", good.call.name());
    let mut bent = good.clone();
    for (index, (refusal, bend)) in bends.iter().enumerate() {
        let mut alone = good.clone();
        bend(&mut alone);
        assert_eq!(send(&alone), Err(*refusal), "{}: fault {index} alone", good.call.name());
        bend(&mut bent);
        assert_eq!(send(&bent), Err(*refusal), "{}: fault {index} over all later ones", good.call.name());
    }
}

pub fn flip(digest: &mut Digest) {
    digest.0[7] ^= 1;
}

pub fn at(now: u64) -> Bend {
    Box::new(move |message| message.now = now)
}

pub fn value(wei: u128) -> Bend {
    Box::new(move |message| message.value = Wei(wei))
}

pub fn from(sender: Account) -> Bend {
    Box::new(move |message| message.sender = sender)
}

pub fn shorten(path: &mut Vec<Digest>) {
    path.pop();
}

pub fn before_the_claim() -> Vec<(Refusal, Bend)> {
    vec![(Refusal::WrongState, Box::new(|m| flip(carried(&mut m.call).expect("a move").1[1])))]
}

pub fn about_the_match() -> Vec<(Refusal, Bend)> {
    vec![
        (Refusal::UnknownMatch, Box::new(|m| *carried(&mut m.call).expect("a move").0 = 99)),
        (Refusal::WrongValue, value(1)),
    ]
}

/// A move made by whose turn it is; its own guard, and then all that is checked before it. `lengths`: what is
/// checked before the state. A statement is known by `statement`.
pub fn guard(
    world: &World,
    call: Option<Call>,
    own: Vec<(Refusal, Bend)>,
    lengths: Vec<(Refusal, Bend)>,
    statement: bool,
) {
    let (sender, next) = world.next();
    let sender = if call.is_some() { CHALLENGER } else { sender };
    let good = Message { now: world.now, sender, value: NOTHING, call: call.unwrap_or(next) };
    let mut bends = own;
    bends.push((Refusal::TooLate, at(world.deadline())));
    if statement {
        bends.push((
            Refusal::NotYourMove,
            Box::new(|message| {
                message.sender = STRANGER;
                if let Call::SubTrace { signature, .. } | Call::Fold { signature, .. } = &mut message.call {
                    signature.clear();
                }
            }),
        ));
    }
    let judged = matches!(
        good.call,
        Call::Prepare { .. } | Call::Name { .. } | Call::Fold { .. } | Call::Segment { .. }
    );
    if judged {
        bends.push((Refusal::ClaimClosed, at(world.hard_end())));
    }
    bends.extend(before_the_claim());
    for (refusal, length) in lengths {
        bends.push((refusal, length));
    }
    bends.extend(about_the_match());
    refused_in_order(world, &good, &bends);
}
