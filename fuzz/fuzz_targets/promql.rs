//! PromQL: what is read is printed, on one line and on many, so that it is read again as the same; errors point into
//! the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use promql::{Features, ParseError, Window};

fuzz_target!(|text: &str| {
    let _ = promql::parse_selector(text);
    let expr = match promql::parse(text) {
        Ok(expr) => expr,
        Err(ParseError { position, end, .. }) => {
            assert!(position.offset as usize <= text.len());
            assert!(position.offset <= end.offset);
            promql::point_at(text, position);
            return;
        }
    };
    assert_eq!(
        expr.check_features(&Features::STABLE).is_ok(),
        promql::parse_with(text, &Features::STABLE).is_ok()
    );
    let printed = expr.to_string();
    // Escapes and indents make a long text longer, maybe too long to be read.
    if text.len() < 10_000 {
        let again = promql::parse(&printed).expect("what was printed is read");
        assert_eq!(again, expr, "{printed}");
        assert_eq!(again.to_string(), printed);
        let pretty = promql::pretty(&expr);
        let again = promql::parse(&pretty).expect("what was printed on many lines is read");
        assert_eq!(again, expr, "{pretty}");
    }
    let window = Window {
        start: model::Timestamp::from_millis(1_000),
        end: model::Timestamp::from_millis(61_000),
        step: std::time::Duration::from_secs(7),
    };
    if let Ok(resolved) = promql::resolve(&expr, &window) {
        assert_eq!(resolved.to_string(), printed);
    }
});
