//! What charts look like.

use expect_test::expect;

use super::*;

const START: f64 = 1_760_000_000.0;

fn line(name: &str, values: &[f64]) -> Line {
    let points = values.iter().enumerate();
    Line {
        name: name.to_owned(),
        metric: name.to_owned(),
        points: points
            .map(|(at, v)| (START + 60.0 * at as f64, *v))
            .collect(),
    }
}

fn draw(series: Vec<Line>, width: usize, has_colours: bool) -> String {
    let times = series
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.0);
    let end = times.fold(START, f64::max);
    let chart = Chart {
        series,
        start: START,
        end,
        step: 60.0,
    };
    chart.draw(Screen {
        width,
        height: 8,
        has_colours,
    })
}

#[test]
fn a_line_goes_from_the_least_to_the_greatest_value() {
    let rising: Vec<f64> = (0..60).map(f64::from).collect();
    expect![[r#"
        59 ┤                                        ⢀⣀⠤⠔⠒⠉
           │                                  ⢀⣀⠤⠔⠒⠉⠁
           │                             ⣀⡠⠔⠒⠉⠁
           │                       ⣀⡠⠤⠒⠊⠉
           │                ⢀⣀⠤⠤⠒⠊⠉
           │           ⢀⣀⠤⠔⠉⠁
           │     ⣀⡠⠤⠒⠒⠉⠁
         0 ┤⡠⠤⠒⠊⠉
           └┬────────┬────────┬────────┬────────┬────────┬
            08:53  09:05    09:16    09:28    09:40  09:52
                                59m to 2025-10-09, UTC
        ─ load  59
    "#]]
    .assert_eq(&draw(vec![line("load", &rising)], 50, false));
}

#[test]
fn where_there_is_no_number_there_is_a_gap() {
    let mut values = vec![1.0; 40];
    values[10] = f64::NAN;
    values[20] = f64::INFINITY;
    values[30] = 2.0;
    expect![[r#"
        2 ┤                                    ⡇
          │                                   ⢠⡇
          │                                   ⢸⢸
          │                                   ⢸⢸
          │                                   ⡇⢸
          │                                   ⡇⢸
          │                                  ⢠⠃ ⡇
        1 ┤⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀  ⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀  ⣀⣀⣀⣀⣀⣀⣀⣀⣀⣸  ⣇⣀⣀⣀⣀⣀⣀⣀⣀⣀
          └┬────────┬────────┬────────┬────────┬─────────┬
           08:53  09:00    09:08    09:16    09:23   09:32
                                 39m to 2025-10-09, UTC
        ─ up  1
    "#]]
    .assert_eq(&draw(vec![line("up", &values)], 50, false));
    let mut gap = line("up", &[1.0; 40]);
    gap.points.drain(10..30);
    expect![[r#"
        1.1 ┤
            │
            │
            │
            │⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉                       ⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
            │
            │
        0.9 ┤
            └┬───────┬────────┬────────┬────────┬────────┬
             08:53 09:00    09:08    09:16    09:24  09:32
                               39m to 2025-10-09, UTC
        ─ up  1
    "#]]
    .assert_eq(&draw(vec![gap], 50, false));
}

#[test]
fn several_series_have_letters_where_there_are_no_colours() {
    let one: Vec<f64> = (0..30).map(|at| f64::from(at) * 1024.0).collect();
    let other: Vec<f64> = one.iter().rev().copied().collect();
    let series = || vec![line("rising_bytes", &one), line("falling_bytes", &other)];
    expect![[r#"
        29 KiB ┤+++++                               ******
               │     ++++++                    ******
               │          +++++           ******
               │               ++++++******
               │               ******++++++
               │          *****           ++++++
               │     ******                    ++++++
             0 ┤*****                               ++++++
               └┬─────────┬─────────┬─────────┬──────────┬
                08:53   09:00     09:07     09:14    09:22
                            29m to 2025-10-09, UTC
        * rising_bytes  29 KiB
        + falling_bytes  0
    "#]]
    .assert_eq(&draw(series(), 50, false));
    let coloured = draw(series(), 50, true);
    assert!(coloured.contains("\x1b[36m") && coloured.contains("\x1b[33m"));
    assert!(!coloured.contains('*'));
}

#[test]
fn what_cannot_be_drawn_is_said() {
    assert_eq!(draw(Vec::new(), 50, false), "no series matches\n");
    let nothing = draw(vec![line("a", &[f64::NAN, f64::INFINITY])], 50, false);
    assert_eq!(nothing, "there is no number to draw\n");
    let many = (0..30).map(|at| line(&"x".repeat(at * 9), &[1.0]));
    let many = draw(many.collect(), 50, false);
    assert!(many.contains("18 more series are not drawn"), "{many}");
    assert!(
        many.lines().all(|line| line.chars().count() <= 54),
        "{many}"
    );
}

#[test]
fn no_numbers_and_no_screen_are_too_strange() {
    for values in [
        vec![f64::MAX, f64::MIN],
        vec![f64::MIN_POSITIVE, 0.0],
        vec![5.0],
        vec![-1e-300, 1e300],
    ] {
        for width in [0, 1, 20, 400] {
            let text = draw(vec![line("a", &values)], width, false);
            assert!(text.contains('┤'), "{text}");
        }
    }
}
