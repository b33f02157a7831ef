//! What becomes of a message whose sending goes wrong in a way that nobody foresaw.

use super::*;

#[tokio::test]
async fn a_panic_is_the_end_of_one_message_and_is_reported() {
    let attempt = async { panic!("as the test wants it") };
    let tried = finish_unless_stopped(attempt, &CancellationToken::new()).await;
    let Some(Tried::Permanent(error)) = tried else {
        panic!("it is given up");
    };
    assert!(error.contains("mistake in the program"), "{error}");
}
