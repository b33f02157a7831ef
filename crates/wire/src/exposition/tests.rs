use super::*;

#[test]
fn a_simple_text_is_read() {
    let exposition = parse("# TYPE up gauge\nup{job=\"a\"} 1\n", Format::Text);
    assert_eq!(exposition.problems, []);
    assert_eq!(
        encode(&exposition.families, Format::Text),
        "# TYPE up gauge\nup{job=\"a\"} 1\n"
    );
}
