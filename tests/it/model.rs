//! The life of a batch as a function.

use quarry::error::Code;
use quarry::model::{BatchEvent, BatchStatus};

#[test]
fn every_event_in_every_status_is_a_move_or_a_conflict_that_names_both() {
    let mut legal = 0;
    for status in BatchStatus::ALL {
        for event in BatchEvent::ALL {
            match status.after(event) {
                Ok(next) => {
                    legal += 1;
                    let reopened = status.is_terminal() && !next.is_terminal();
                    assert_eq!(reopened, event == BatchEvent::Redo, "{status:?} {event:?}");
                    assert!(next != BatchStatus::Draft, "nothing becomes a draft");
                }
                Err(error) => {
                    assert_eq!(error.code(), Code::Conflict);
                    assert!(error.to_string().contains(status.as_str()), "{error}");
                    assert!(error.hint_text().is_some());
                }
            }
        }
    }
    assert_eq!(legal, 13);
}
