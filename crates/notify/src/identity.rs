//! Names that stay the same when a notification is sent again, so that whoever gets it twice can tell.

use alerts::{GroupId, Notification};

/// What a notification is called: the same for each attempt, different for any other notification.
pub(crate) fn of_notification(notification: &Notification, external_url: &str) -> String {
    let mut hash = group_hash(&notification.group, external_url);
    hash.add(&notification.id.to_string());
    hash.add(&notification.decided_at.as_millis().to_string());
    hash.shown()
}

/// What a group is called, as long as its route and labels stay.
pub(crate) fn of_group(group: &GroupId, external_url: &str) -> String {
    group_hash(group, external_url).shown()
}

fn group_hash(group: &GroupId, external_url: &str) -> Hash {
    let mut hash = Hash::new();
    for part in [
        external_url,
        &group.receiver,
        &group.integration,
        &group.key,
    ] {
        hash.add(part);
    }
    hash
}

/// FNV-1a over 128 bits: stable for ever, and nobody has a reason to look for collisions.
struct Hash(u128);

impl Hash {
    fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    /// Adds a part and a byte that no text holds.
    fn add(&mut self, part: &str) {
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        for byte in part.bytes().chain([255]) {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(PRIME);
        }
    }

    fn shown(&self) -> String {
        format!("{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::notification;

    #[test]
    fn a_notification_keeps_its_name_and_shares_it_with_no_other() {
        let first = notification();
        let mut second = first.clone();
        second.id += 1;
        let name = |notification: &Notification| {
            of_notification(notification, "https://watch.example.org/")
        };
        assert_eq!(name(&first), name(&first.clone()));
        assert_ne!(name(&first), name(&second));
        assert_ne!(
            name(&first),
            of_notification(&first, "https://other.example.org/")
        );
        assert_eq!(of_group(&first.group, ""), of_group(&second.group, ""));
    }
}
