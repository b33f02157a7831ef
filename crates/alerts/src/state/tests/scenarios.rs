//! One behaviour, one script.

use super::*;

#[test]
fn a_group_waits_is_told_and_told_again_when_it_is_over() {
    check(
        routing(),
        "0s raise a
         10s raise b
         20s raise c,group=x
         30s -> one First +a +b
         50s -> one First +c
         2m end a
         5m30s -> one Resolved +b -a
         6m end b
         7m end c,group=x
         10m30s -> one Resolved -b
         10m50s -> one Resolved -c
         2h nothing",
    );
}

#[test]
fn changes_are_told_at_points_that_lie_a_group_interval_apart() {
    check(
        routing(),
        "0s raise a
         30s -> one First +a
         31s raise b
         5m30s -> one NewAlerts +a +b
         12m raise c
         15m30s -> one NewAlerts +a +b +c
         20m30s raise d
         20m30s -> one NewAlerts +a +b +c +d
         20m31s end a
         21m raise e
         25m30s -> one NewAlerts +b +c +d +e -a
         26m nothing",
    );
}

#[test]
fn what_fires_on_is_repeated_when_the_repeat_interval_has_passed_not_at_the_next_point() {
    let mut routing = routing();
    for route in &mut routing.root.routes {
        route.timing.repeat_interval = Duration::from_secs(7 * 60);
    }
    check(
        routing,
        "0s raise a
         30s -> one First +a
         7m30s -> one Repeat +a
         8m raise b
         12m30s -> one NewAlerts +a +b
         19m30s -> one Repeat +a +b
         20m end a
         20m end b
         24m30s -> one Resolved -a -b
         2h nothing",
    );
}

#[test]
fn an_alert_that_is_over_before_it_was_told_is_not_told_at_all() {
    check(
        routing(),
        "0s raise a
         20s end a
         1m raise b
         1m30s -> one First +b
         2m raise c
         2m lease d
         3m end c
         4m nothing
         1h1m30s -> one Repeat +b
         1h2m nothing",
    );
}

#[test]
fn an_alert_that_nobody_raises_again_in_its_cooldown_does_not_keep_its_group() {
    check(
        with_cooldown(3600),
        "0s lease a
         30s -> one First +a
         1m end a
         5m30s -> one Resolved -a
         6m lease a
         20m raise b
         20m30s -> one First +b
         21m nothing",
    );
}

#[test]
fn an_alert_that_is_not_raised_again_is_over_when_it_said() {
    check(
        routing(),
        "0s lease a
         30s -> one First +a
         3m lease a
         6m lease a
         10m30s -> one Resolved -a
         2h nothing",
    );
}

#[test]
fn an_alert_that_comes_back_before_its_end_was_told_never_went() {
    check(
        routing(),
        "0s raise a
         30s -> one First +a
         1m end a
         2m raise a
         30m nothing
         31m end a
         35m30s -> one Resolved -a
         2h nothing",
    );
}

#[test]
fn an_alert_that_comes_back_while_its_end_is_on_the_way_is_new() {
    check(
        routing(),
        "0s raise a
         30s -> one First +a
         1m end a
         5m outcome unknown
         5m30s -> one Resolved -a
         6m raise a
         6m outcome delivered
         6m deliver
         10m30s -> one NewAlerts +a
         11m nothing",
    );
}

#[test]
fn an_alert_that_ends_while_it_is_being_told_is_told_to_be_over() {
    check(
        routing(),
        "0s outcome unknown
         0s raise a
         30s -> one First +a
         40s end a
         20m outcome delivered
         20m deliver
         20m -> one Resolved -a
         2h nothing",
    );
}

#[test]
fn each_receiver_has_its_own_groups() {
    check(
        routing(),
        "0s raise a,page=yes
         0s -> two First +a
         30s -> one First +a
         1m end a,page=yes
         5m -> two Resolved -a
         5m30s -> one Resolved -a
         2h nothing",
    );
}

#[test]
fn a_receiver_that_does_not_want_ends_is_not_told_them() {
    let mut routing = routing();
    let silent = receiver(false);
    routing.receivers.insert("one".to_owned(), silent);
    check(
        routing,
        "0s raise a
         30s -> one First +a
         1m end a
         10m raise a
         10m30s -> one First +a
         11m nothing",
    );
}

#[test]
fn what_was_given_up_comes_with_the_next_notification_of_the_group() {
    check(
        routing(),
        "0s outcome given-up
         0s raise a
         30s -> one First +a
         5m30s -> one First +a
         6m raise b
         6m outcome delivered
         10m30s -> one First +a +b
         1h outcome given-up
         1h10m30s -> one Repeat +a +b
         1h15m30s -> one Repeat +a +b
         1h16m end a
         1h20m30s -> one Resolved +b -a
         1h21m outcome delivered
         1h25m30s -> one Resolved +b -a
         2h nothing",
    );
}

#[test]
fn while_the_same_notification_is_tried_again_nothing_else_is_told_to_the_group() {
    check(
        routing(),
        "0s outcome failed
         0s raise a
         30s -> one First +a
         1m raise b
         1h outcome delivered
         1h deliver
         1h -> one NewAlerts +a +b
         1h1m nothing",
    );
}

#[test]
fn an_end_that_nobody_takes_is_forgotten_after_five_days() {
    let mut routing = routing();
    for route in &mut routing.root.routes {
        route.timing.group_interval = Duration::from_secs(2 * 24 * 3600);
    }
    check(
        routing,
        "0s raise a
         30s -> one First +a
         1m end a
         2m outcome given-up
         2d30s -> one Resolved -a
         4d30s -> one Resolved -a
         30d nothing",
    );
}

#[test]
fn in_the_cooldown_an_alert_is_not_told_again_but_its_end_is() {
    check(
        with_cooldown(1800),
        "0s raise a
         30s -> one First +a
         1m end a
         5m30s -> one Resolved -a
         6m raise a
         10m end a
         12m raise a
         30m30s -> one First +a
         31m end a
         35m30s -> one Resolved -a
         40m raise a
         50m end a
         2h nothing",
    );
}

#[test]
fn in_the_cooldown_others_of_the_group_are_told() {
    check(
        with_cooldown(1800),
        "0s raise a
         30s -> one First +a
         1m end a
         5m30s -> one Resolved -a
         6m raise a
         6m5s raise b
         6m30s -> one First +b
         31m30s -> one NewAlerts +a +b
         40m nothing",
    );
}

#[test]
fn a_cooldown_that_is_longer_than_the_repeat_interval_holds_repetitions_back() {
    check(
        with_cooldown(2 * 3600),
        "0s raise a
         30s -> one First +a
         2h30s -> one Repeat +a
         3h nothing",
    );
}

#[test]
fn a_short_restart_repeats_nothing_and_forgets_nothing() {
    check(
        routing(),
        "0s raise a
         10s kill
         11s start
         30s -> one First +a
         1m end a
         5m29s nothing
         5m29s kill
         5m31s start
         6m1s -> one Resolved -a
         7m31s nothing",
    );
}

#[test]
fn what_was_on_its_way_is_sent_again_with_its_number() {
    check(
        routing(),
        "0s outcome unknown
         0s raise a
         30s -> one First +a
         31s kill
         32s start
         32s -> again one First +a
         33s outcome delivered
         33s deliver
         1h33s -> one Repeat +a
         2h nothing",
    );
}

#[test]
fn after_a_long_absence_what_fired_fires_until_it_could_be_raised_again() {
    check(
        routing(),
        "0s lease a
         0s lease b
         30s -> one First +a +b
         3m lease a
         3m lease b
         4m kill
         3h start
         3h30s -> one Repeat +a +b
         3h1m lease a
         3h5m end a
         3h5m30s -> one Resolved -a -b
         9h nothing",
    );
}

#[test]
fn restarts_in_short_order_do_not_put_off_what_is_due_for_ever() {
    check(
        routing(),
        "0s raise a
         25s kill
         31s start
         40s kill
         41s start
         50s kill
         51s start
         1m kill
         1m2s start
         1m2s -> one First +a
         2m nothing",
    );
}

/// The tree of the others with another key for what was `one`'s only group.
fn changed(change: impl FnOnce(&mut Routing)) -> Vec<Routing> {
    let mut routing = routing();
    change(&mut routing);
    vec![routing]
}

#[test]
fn what_a_receiver_was_told_moves_with_the_alert_to_its_other_group() {
    check_with(
        routing(),
        changed(|routing| routing.root.routes[1].group_by = GroupBy::All),
        "0s raise a
         0s raise b
         30s -> one First +a +b
         1m end b
         2m reconfigure
         5m30s -> one Resolved -b
         10m end a
         10m30s -> one Resolved -a
         2h nothing",
    );
}

#[test]
fn a_receiver_to_which_no_route_leads_any_more_is_told_the_ends_of_what_it_was_told() {
    check_with(
        routing(),
        changed(|routing| {
            routing.root.routes.remove(0);
        }),
        "0s raise a,page=yes
         0s -> two First +a
         30s -> one First +a
         1m reconfigure
         2m raise b,page=yes
         5m30s -> one NewAlerts +a +b
         6m end a,page=yes
         10m -> two Resolved -a
         10m30s -> one Resolved +b -a
         20m nothing",
    );
}

#[test]
fn a_receiver_that_is_gone_is_told_nothing_and_the_root_takes_over() {
    check_with(
        routing(),
        changed(|routing| {
            routing.root.routes.remove(1);
            routing.root.receiver = "two".to_owned();
            routing.root.routes.remove(0);
            routing.receivers.remove("one");
        }),
        "0s outcome unknown
         0s raise a
         30s -> one First +a
         1m reconfigure
         1m outcome delivered
         1m30s -> two First +a
         2m end a
         6m30s -> two Resolved -a
         2h nothing",
    );
}

#[test]
fn times_that_are_changed_hold_from_now_on() {
    check_with(
        routing(),
        changed(|routing| {
            routing.root.routes[1].timing.group_interval = Duration::from_secs(60);
            routing.root.routes[1].timing.repeat_interval = Duration::from_secs(600);
        }),
        "0s raise a
         30s -> one First +a
         40s raise b
         1m reconfigure
         1m30s -> one NewAlerts +a +b
         11m30s -> one Repeat +a +b
         12m nothing",
    );
}

#[test]
fn more_alerts_than_can_be_known_are_refused() {
    let mut state = State::new(routing(), 1);
    state.alerts_max = 2;
    let mut raise = |name| {
        let alert = alert(labels(name), at(0), at(1000));
        state.apply(Event::Alert(alert), at(0))
    };
    assert_eq!(raise("a"), []);
    assert_eq!(raise("b"), []);
    assert_eq!(raise("a"), []);
    let refused = Action::Refused {
        labels: labels("c"),
        limit: 2,
    };
    assert_eq!(raise("c"), [refused]);
}

#[test]
fn only_what_must_survive_makes_another_revision() {
    let mut state = State::new(routing(), 1);
    let mut revision_after = |event, seconds| {
        state.apply(event, at(seconds));
        state.revision()
    };
    let raised = |ends_at| Event::Alert(alert(labels("a"), at(0), at(ends_at)));
    let first = revision_after(raised(100), 0);
    assert_eq!(revision_after(raised(200), 1), first);
    assert_eq!(revision_after(Event::Tick, 2), first);
    let told = revision_after(Event::Tick, 30);
    assert!(told > first);
    assert_eq!(revision_after(raised(230), 31), told);
    assert!(revision_after(raised(32), 32) > told);
}

#[test]
fn a_restart_keeps_the_points_and_the_cooldown() {
    check(
        with_cooldown(1800),
        "0s raise a
         30s -> one First +a
         1m kill
         1m1s start
         2m raise b
         5m30s -> one NewAlerts +a +b
         6m end a
         10m30s -> one Resolved +b -a
         11m kill
         11m1s start
         12m raise a
         35m30s -> one NewAlerts +a +b
         36m nothing",
    );
}

#[test]
fn a_restart_does_not_try_at_once_what_was_given_up() {
    check(
        routing(),
        "0s raise a
         30s -> one First +a
         1h outcome given-up
         1h30s -> one Repeat +a
         1h1m kill
         1h1m1s start
         1h5m30s -> one Repeat +a
         1h6m nothing",
    );
}

#[test]
fn routes_that_lead_to_a_receiver_again_tell_it_what_still_fires() {
    let without = changed(|routing| {
        routing.root.routes.remove(0);
    });
    check_with(
        routing(),
        vec![without[0].clone(), routing()],
        "0s raise a,page=yes
         0s -> two First +a
         30s -> one First +a
         1m reconfigure
         1h30s -> one Repeat +a
         1h2m reconfigure
         1h2m -> two Repeat +a
         1h3m nothing",
    );
}

#[test]
fn what_is_told_elsewhere_now_is_not_listed_with_an_end() {
    let mut before = routing();
    before.root.routes[0].group_by = GroupBy::Labels(Vec::new());
    check_with(
        before,
        changed(|routing| {
            routing.root.routes.remove(0);
        }),
        "0s raise a,page=yes
         0s -> two First +a
         0s raise b,page=yes
         30s -> one First +a +b
         5m -> two NewAlerts +a +b
         6m reconfigure
         7m end a,page=yes
         10m -> two Resolved -a
         10m30s -> one Resolved +b -a
         20m nothing",
    );
}

#[test]
fn an_alert_began_when_it_was_first_heard_of_and_has_its_latest_annotations() {
    let mut state = State::new(routing(), 1);
    let mut raise = |starts_at, summary: &str, now| {
        let mut alert = alert(labels("a"), at(starts_at), at(now + 60));
        alert
            .annotations
            .insert("summary".to_owned(), summary.to_owned());
        state.apply(Event::Alert(alert), at(now))
    };
    assert_eq!(raise(5, "90 %", 10), []);
    assert_eq!(raise(12, "95 %", 20), []);
    let actions = raise(15, "99 %", 40);
    let [Action::Notify(notification)] = &actions[..] else {
        panic!("{actions:?}");
    };
    let told = &notification.alerts[0].alert;
    assert_eq!(
        (told.starts_at, &*told.annotations["summary"]),
        (at(5), "99 %")
    );
    assert_eq!(notification.group.key, "{}/{}:{}");
}

#[test]
fn what_is_said_to_be_over_after_it_ran_out_does_not_keep_its_group_open() {
    let mut state = State::new(routing(), 1);
    let mut raise = |name, ends_at, now| {
        let alert = alert(labels(name), at(0), at(ends_at));
        state.apply(Event::Alert(alert), at(now));
        state.next_wake()
    };
    raise("a", 1, 0);
    assert_eq!(raise("a", 2, 2), None);
    assert_eq!(raise("b", 100, 3), Some(at(33)));
}

#[test]
fn an_integration_that_does_not_work_holds_up_no_other_of_its_receiver() {
    let mut routing = routing();
    let one = routing.receivers.get_mut("one").unwrap();
    let integration = one.integrations["webhook[0]"];
    one.integrations.insert("slack[0]".to_owned(), integration);
    let mut state = State::new(routing, 1);
    let mut alert = alert(labels("a"), at(0), at(86_400));
    state.apply(Event::Alert(alert.clone()), at(0));
    let told = |actions: Vec<Action>| -> Vec<(String, Reason, GroupId, u64)> {
        let notified = actions.into_iter().map(|action| match action {
            Action::Notify(told) => (
                told.group.integration.clone(),
                told.reason,
                told.group,
                told.id,
            ),
            Action::Refused { .. } => panic!("{action:?}"),
        });
        notified.collect()
    };
    let first = told(state.apply(Event::Tick, at(30)));
    let names: Vec<_> = first.iter().map(|told| (&*told.0, told.1)).collect();
    assert_eq!(
        names,
        [("slack[0]", Reason::First), ("webhook[0]", Reason::First)]
    );
    let (_, _, group, id) = first[1].clone();
    let outcome = Outcome::Delivered;
    state.apply(Event::Sent { group, id, outcome }, at(31));
    alert.ends_at = at(60);
    state.apply(Event::Alert(alert), at(60));
    let later = told(state.apply(Event::Tick, at(30 + 300)));
    let names: Vec<_> = later.iter().map(|told| (&*told.0, told.1)).collect();
    assert_eq!(names, [("webhook[0]", Reason::Resolved)]);
}

#[test]
fn that_an_alert_left_its_group_must_survive_a_restart() {
    let mut state = State::new(routing(), 1);
    let raised = alert(labels("a"), at(0), at(10));
    state.apply(Event::Alert(raised.clone()), at(0));
    let before = state.revision();
    // It lapsed at 10, and now it is said to be over before anybody was told of it.
    let over = Alert {
        ends_at: at(15),
        ..raised
    };
    assert_eq!(state.apply(Event::Alert(over), at(15)), []);
    assert_eq!(state.alerts().count(), 0);
    assert!(state.revision() > before);
}

/// What is told at a moment after which nothing has happened.
fn told(state: &mut State, now: Timestamp) -> Vec<String> {
    let actions = state.apply(Event::Tick, now);
    let mut told = Vec::new();
    for action in actions {
        let Action::Notify(notification) = action else {
            panic!("nothing is refused");
        };
        told.push(shown(&notification));
        let event = Event::Sent {
            group: notification.group,
            id: notification.id,
            outcome: Outcome::Delivered,
        };
        assert_eq!(state.apply(event, now), []);
    }
    told
}

#[test]
fn after_the_clock_was_set_back_what_is_raised_is_told_as_ever() {
    let raise = |state: &mut State, name: &str, now: u64| {
        let raised = alert(labels(name), at(now), at(now + 240));
        assert_eq!(state.apply(Event::Alert(raised), at(now)), []);
    };
    let mut state = State::new(routing(), 1);
    raise(&mut state, "a", 7_000);
    assert_eq!(told(&mut state, at(7_030)), ["one First +a"]);
    raise(&mut state, "waits,group=x", 7_050);
    let before = state.revision();

    state.resume(at(100));
    assert!(state.revision() > before);
    raise(&mut state, "b,group=y", 101);
    assert_eq!(told(&mut state, at(129)), [""; 0]);
    assert_eq!(
        told(&mut state, at(131)),
        ["one First +waits", "one First +b"]
    );
    // What was told counts as told just now, and what held for a while holds as long.
    raise(&mut state, "c", 200);
    assert_eq!(told(&mut state, at(399)), [""; 0]);
    assert_eq!(told(&mut state, at(400)), ["one NewAlerts +c -a"]);
}

#[test]
fn after_a_leap_of_the_clock_what_fired_fires_until_it_could_be_raised_again() {
    let mut state = State::new(routing(), 1);
    let raised = |now: u64| alert(labels("a"), at(0), at(now + 240));
    state.apply(Event::Alert(raised(0)), at(0));
    assert_eq!(told(&mut state, at(30)), ["one First +a"]);
    state.resume(at(7_200));
    assert_eq!(told(&mut state, at(7_231)), ["one Repeat +a"]);
    state.apply(Event::Alert(raised(7_240)), at(7_240));
    assert_eq!(told(&mut state, at(7_400)), [""; 0]);
}
