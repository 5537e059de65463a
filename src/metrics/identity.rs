//! Who a person is: the one seam between an actor (a stored number) and the person behind it.

/// The person behind an actor.
///
/// Today every actor is a person of their own: identification within one device is settled at capture, which
/// takes the user id when there is one. The map that joins devices to users (SEMANTICS 5) is looked up here,
/// so every metric changes at once when it comes.
pub fn person_of(actor: u64) -> u64 {
    actor
}
