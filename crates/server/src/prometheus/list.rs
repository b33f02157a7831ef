//! A list as an answer, written as it is sent: each item is given back as soon as it is written.

use std::vec::IntoIter;

use model::Reservation;

use super::{SUCCESS, TRUNCATED, finish};
use crate::error::ApiError;
use crate::json;
use crate::stream::{PIECE_BYTES, Pieces};

/// Writes items of one kind.
pub(super) struct ListWriter<T> {
    items: IntoIter<T>,
    push: fn(&mut String, &T),
    state: State,
    is_truncated: bool,
    /// What the items take.
    #[expect(dead_code, reason = "it is held for its end")]
    memory: Reservation,
}

/// Where the writer stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    First,
    Further,
    End,
}

impl<T> ListWriter<T> {
    /// A writer of at most `limit` items, which warns if there are more.
    pub(super) fn new(
        mut items: Vec<T>,
        limit: Option<usize>,
        push: fn(&mut String, &T),
        memory: Reservation,
    ) -> Self {
        let limit = limit.unwrap_or(usize::MAX);
        let is_truncated = items.len() > limit;
        items.truncate(limit);
        Self {
            items: items.into_iter(),
            push,
            state: State::Start,
            is_truncated,
            memory,
        }
    }

    fn write(&mut self, bytes: usize) -> String {
        let mut out = String::new();
        if self.state == State::Start {
            out.push_str(SUCCESS);
            out.push('[');
            self.state = State::First;
        }
        while out.len() < bytes {
            let Some(item) = self.items.next() else {
                out.push(']');
                let warnings: &[&str] = if self.is_truncated { &[TRUNCATED] } else { &[] };
                finish(&mut out, warnings, &[""; 0]);
                self.state = State::End;
                break;
            };
            json::separate(&mut out, usize::from(self.state == State::Further));
            self.state = State::Further;
            (self.push)(&mut out, &item);
        }
        out
    }
}

impl<T: Send + 'static> Pieces for ListWriter<T> {
    fn next(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        Ok((self.state != State::End).then(|| self.write(PIECE_BYTES).into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(limit: Option<usize>, bytes: usize) -> String {
        let push = |out: &mut String, text: &&str| json::push_string(out, text);
        let items = vec!["a", "b", "c"];
        let mut writer = ListWriter::new(items, limit, push, Reservation::default());
        let mut text = String::new();
        while writer.state != State::End {
            text.push_str(&writer.write(bytes));
        }
        text
    }

    #[test]
    fn pieces_of_any_length_make_the_same_text() {
        for bytes in [1, 2, 30, 32, 36, 1000] {
            let whole = r#"{"status":"success","data":["a","b","c"]}"#;
            assert_eq!(written(None, bytes), whole);
            let cut = r#"{"status":"success","data":["a"],"warnings":["results truncated due to limit"]}"#;
            assert_eq!(written(Some(1), bytes), cut);
        }
    }
}
