//! What must become of the alerts of a group, from the list of all looks at each.
//!
//! A look is an evaluation that went well: the alert's series was there or was not. State, times and what is given out
//! are found by reading the looks from the first on, each time anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Alert, Labels, LabelsBuilder, Timestamp};
use rules::AlertState;

use super::signals::Signals;
use crate::MINUTE;

pub(crate) const EXTERNAL_URL: &str = "http://campanile.example.org";
pub(crate) const RESEND: i64 = MINUTE;
const RETENTION: i64 = 15 * MINUTE;

/// By name; shared, since each look holds them.
type Annotations = Arc<BTreeMap<String, String>>;

/// How a group is set up; durations in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct GroupSetting {
    pub(crate) name: String,
    pub(crate) interval: i64,
    pub(crate) offset: i64,
    pub(crate) limit: usize,
    pub(crate) rules: Vec<RuleSetting>,
}

/// How a rule is set up.
#[derive(Clone, Debug)]
pub(crate) struct RuleSetting {
    pub(crate) name: String,
    pub(crate) records: bool,
    pub(crate) signal: usize,
    pub(crate) threshold: i64,
    pub(crate) hold: i64,
    pub(crate) keep: i64,
    pub(crate) kind: Kind,
    /// Whether the severity is written as a template, which makes it another rule with the same alerts.
    pub(crate) is_roundabout: bool,
}

/// Which labels a rule adds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Plain,
    /// `where`, from the labels of the series.
    Where,
    /// `level`, from the value: a series has another alert when it crosses 50.
    Level,
    /// The same instance for all, which is an error if there are two.
    One,
}

/// A group and all looks at it.
#[derive(Clone)]
pub(crate) struct GroupModel {
    pub(crate) setting: GroupSetting,
    rules: Vec<RuleModel>,
    evaluated_at: Option<i64>,
    lost: Vec<RuleModel>,
}

#[derive(Clone)]
struct RuleModel {
    setting: RuleSetting,
    pasts: BTreeMap<Labels, Past>,
    given_out: BTreeSet<Labels>,
}

/// The past of one alert, beginning with a look at which its series was there.
#[derive(Clone, Default)]
struct Past {
    looks: Vec<Look>,
    /// Before which look, and for how long, nobody looked since the process was away.
    unseen: Vec<(usize, i64)>,
    /// When it was given out by this process.
    sent: Vec<i64>,
}

#[derive(Clone)]
struct Look {
    at: i64,
    /// The value and the annotations, if it was there.
    present: Option<(f64, Annotations)>,
    hold: i64,
    keep: i64,
}

/// What a past amounts to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) state: AlertState,
    pub(crate) active_at: i64,
    pub(crate) fired_at: Option<i64>,
    pub(crate) resolved_at: Option<i64>,
    pub(crate) kept_since: Option<i64>,
    pub(crate) value: f64,
    annotations: Annotations,
}

/// What an evaluation must give.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Expected {
    pub(crate) alerts: Vec<Alert>,
    pub(crate) ended: Vec<Alert>,
    pub(crate) errors: Vec<(usize, String)>,
    /// Labels, time, bits of the value.
    pub(crate) samples: Vec<(Labels, i64, u64)>,
}

impl RuleSetting {
    /// As it stands in a rule file, by name.
    pub(crate) fn label_texts(&self) -> BTreeMap<&'static str, &'static str> {
        let severity = match (self.is_roundabout && !self.records, self.threshold >= 50) {
            (false, true) => "page",
            (false, false) => "ticket",
            (true, true) => "{{ \"page\" }}",
            (true, false) => "{{ \"ticket\" }}",
        };
        let mut texts = BTreeMap::from([("severity", severity)]);
        if !self.records {
            texts.extend(match self.kind {
                Kind::Plain => None,
                Kind::Where => Some(("where", "{{ $labels.instance }}-{{ $labels.zone }}")),
                Kind::Level => Some(("level", "{{ if gt $value 50.0 }}high{{ else }}low{{ end }}")),
                Kind::One => Some(("instance", "all")),
            });
        }
        texts
    }

    /// The labels of a series' alert, or of its record.
    fn labels(&self, series: &Labels, value: f64) -> Labels {
        let mut labels = LabelsBuilder::from_labels(series);
        let severity = if self.threshold >= 50 {
            "page"
        } else {
            "ticket"
        };
        labels.set("severity", severity);
        if self.records {
            labels.set("__name__", &self.name);
            return labels.build().unwrap();
        }
        let (instance, zone) = (series.get("instance").unwrap(), series.get("zone").unwrap());
        match self.kind {
            Kind::Plain => {}
            Kind::Where => labels.set("where", &format!("{instance}-{zone}")),
            Kind::Level => labels.set("level", if value > 50.0 { "high" } else { "low" }),
            Kind::One => labels.set("instance", "all"),
        }
        labels.set("__name__", "");
        labels.set("alertname", &self.name);
        labels.build().unwrap()
    }

    fn annotations(&self, series: &Labels, value: f64) -> Annotations {
        let instance = series.get("instance").unwrap();
        let summary = format!("{instance} is at {value}");
        Arc::new(BTreeMap::from([("summary".to_owned(), summary)]))
    }

    pub(crate) fn expr(&self) -> String {
        format!("signal_{} > {}", self.signal, self.threshold)
    }

    fn url(&self) -> String {
        let expr = self.expr().replace(' ', "+").replace('>', "%3E");
        format!("{EXTERNAL_URL}/graph?g0.expr={expr}&g0.tab=1")
    }

    fn is_same(&self, other: &Self) -> bool {
        let key = |rule: &Self| (rule.name.clone(), rule.records, rule.label_texts());
        key(self) == key(other)
    }
}

impl Past {
    /// What the looks amount to; none if the alert is to be forgotten.
    fn verdict(&self) -> Option<Verdict> {
        let looks = &self.looks;
        let begin = looks.first()?.at;
        let unseen = |until: usize| -> i64 {
            let before = self
                .unseen
                .iter()
                .filter(|(position, _)| *position <= until);
            before.map(|(_, unseen)| unseen).sum()
        };
        let fires = (0..looks.len()).find(|index| {
            let look = &looks[*index];
            look.at - begin - unseen(*index) >= look.hold
        });
        let absent = looks.iter().position(|look| look.present.is_none());
        let shown = looks.iter().rev().find_map(|look| look.present.clone());
        let (value, annotations) = shown?;
        let Some(fires) = fires.filter(|fires| absent.is_none_or(|absent| *fires < absent)) else {
            return absent.is_none().then(|| Verdict {
                state: AlertState::Pending,
                active_at: begin + unseen(looks.len()),
                fired_at: None,
                resolved_at: None,
                kept_since: None,
                value,
                annotations,
            });
        };
        // Since when it is absent without a break, at each look.
        let absent_since = |index: usize| {
            let present = looks[..=index]
                .iter()
                .rposition(|look| look.present.is_some());
            looks[present.map_or(0, |present| present + 1)..=index]
                .first()
                .map(|look| look.at)
        };
        let end = (fires..looks.len()).find(|index| {
            let look = &looks[*index];
            absent_since(*index).is_some_and(|since| look.keep == 0 || look.at - since >= look.keep)
        });
        let last = looks.len() - 1;
        if let Some(end) = end {
            assert!(
                looks[end..].iter().all(|look| look.present.is_none()),
                "a new past begins"
            );
            if looks[last].at - looks[end].at > RETENTION {
                return None;
            }
        }
        Some(Verdict {
            state: if end.is_some() {
                AlertState::Inactive
            } else {
                AlertState::Firing
            },
            active_at: begin + unseen(fires),
            fired_at: Some(looks[fires].at),
            resolved_at: end.map(|end| looks[end].at),
            kept_since: absent_since(last).filter(|_| end.is_none()),
            value,
            annotations,
        })
    }

    fn is_due(&self, verdict: &Verdict, at: i64) -> bool {
        let knows = |sent: &i64| {
            verdict
                .resolved_at
                .is_none_or(|resolved_at| resolved_at <= *sent)
                && sent + RESEND >= at
        };
        verdict.state != AlertState::Pending && !self.sent.iter().any(knows)
    }
}

impl GroupModel {
    pub(crate) fn new(setting: GroupSetting) -> Self {
        let rules = setting.rules.iter().cloned().map(RuleModel::new).collect();
        Self {
            setting,
            rules,
            evaluated_at: None,
            lost: Vec::new(),
        }
    }

    /// Other rules, which take over the pasts of their equals.
    pub(crate) fn reconfigure(&mut self, setting: GroupSetting) {
        let mut before = std::mem::replace(self, Self::new(setting));
        for rule in &mut self.rules {
            let same = before
                .rules
                .iter()
                .position(|old| old.setting.is_same(&rule.setting));
            if let Some(same) = same {
                let old = before.rules.remove(same);
                (rule.pasts, rule.given_out) = (old.pasts, old.given_out);
            }
        }
        self.lost = before.lost;
        self.lost.append(&mut before.rules);
        self.evaluated_at = before.evaluated_at;
    }

    /// The process starts again at a moment.
    pub(crate) fn restart(&mut self, now: i64) {
        let away = self
            .evaluated_at
            .map_or(0, |before| now - before - self.setting.interval);
        let lost = self.lost.iter_mut();
        for past in self
            .rules
            .iter_mut()
            .chain(lost)
            .flat_map(|rule| rule.pasts.values_mut())
        {
            past.sent.clear();
            past.unseen.push((past.looks.len(), away.max(0)));
        }
        // Nobody is away twice for the same time.
        self.evaluated_at = self.evaluated_at.map(|before| before + away.max(0));
    }

    /// The alerts that must be active, by rule and labels.
    pub(crate) fn active(&self, rule: usize) -> Vec<(&Labels, Verdict)> {
        let pasts = self.rules[rule].pasts.iter();
        let verdicts = pasts.filter_map(|(labels, past)| Some((labels, past.verdict()?)));
        verdicts
            .filter(|(_, verdict)| verdict.state != AlertState::Inactive)
            .collect()
    }

    pub(crate) fn evaluate(&mut self, at: i64, signals: &Signals) -> Expected {
        let mut expected = Expected::default();
        let looked_at = at - self.setting.offset;
        for (index, rule) in self.rules.iter_mut().enumerate() {
            match rule.evaluate(at, looked_at, self.setting.limit, signals) {
                Ok(samples) => expected.samples.extend(samples),
                Err(message) => expected.errors.push((index, message)),
            }
        }
        let validity = 4 * self.setting.interval.max(RESEND);
        for rule in &mut self.rules {
            for (labels, past) in &mut rule.pasts {
                let Some(verdict) = past.verdict() else {
                    continue;
                };
                if past.is_due(&verdict, at) {
                    past.sent.push(at);
                    let ends_at = verdict.resolved_at.unwrap_or(at + validity);
                    expected
                        .alerts
                        .push(alert(labels, verdict, ends_at, rule.setting.url()));
                }
            }
        }
        for lost in std::mem::take(&mut self.lost) {
            for labels in lost.given_out {
                let is_given_out = self
                    .rules
                    .iter()
                    .any(|rule| rule.given_out.contains(&labels));
                let stale = (labels, looked_at, model::stale_marker().to_bits());
                if !is_given_out && !expected.samples.contains(&stale) {
                    expected.samples.push(stale);
                }
            }
            for (labels, past) in lost.pasts {
                let fires = |past: &Past| {
                    past.verdict()
                        .is_some_and(|verdict| verdict.state == AlertState::Firing)
                };
                let fires_on = self
                    .rules
                    .iter()
                    .any(|rule| rule.pasts.get(&labels).is_some_and(fires));
                if fires(&past) && !fires_on {
                    let verdict = past.verdict().unwrap();
                    expected
                        .ended
                        .push(alert(&labels, verdict, at, String::new()));
                }
            }
        }
        self.evaluated_at = Some(at);
        expected
    }
}

impl RuleModel {
    fn new(setting: RuleSetting) -> Self {
        Self {
            setting,
            pasts: BTreeMap::new(),
            given_out: BTreeSet::new(),
        }
    }

    fn evaluate(
        &mut self,
        at: i64,
        looked_at: i64,
        limit: usize,
        signals: &Signals,
    ) -> Result<Vec<(Labels, i64, u64)>, String> {
        let setting = &self.setting;
        let above = signals.above(setting.signal, setting.threshold, looked_at)?;
        let mut samples = Vec::new();
        if setting.records {
            for (series, value) in above {
                samples.push((setting.labels(&series, value), value));
            }
            if limit > 0 && samples.len() > limit {
                return Err(format!(
                    "exceeded limit of {limit} with {} series",
                    samples.len()
                ));
            }
        } else {
            self.look(above, at)?;
            let active = self
                .pasts
                .iter()
                .filter_map(|(labels, past)| Some((labels, past.verdict()?)));
            let active = active.filter(|(_, verdict)| verdict.state != AlertState::Inactive);
            let active: Vec<(Labels, Verdict)> = active
                .map(|(labels, verdict)| (labels.clone(), verdict))
                .collect();
            if limit > 0 && active.len() > limit {
                self.pasts.clear();
                return Err(format!(
                    "exceeded limit of {limit} with {} alerts",
                    active.len()
                ));
            }
            for (labels, verdict) in active {
                let mut builder = LabelsBuilder::from_labels(&labels);
                builder.set("__name__", "ALERTS_FOR_STATE");
                let since = verdict.active_at.div_euclid(1000) as f64;
                samples.push((builder.clone().build().unwrap(), since));
                builder.set("__name__", "ALERTS");
                builder.set("alertstate", verdict.state.as_str());
                samples.push((builder.build().unwrap(), 1.0));
            }
        }
        let now: BTreeSet<Labels> = samples.iter().map(|(labels, _)| labels.clone()).collect();
        let before = std::mem::replace(&mut self.given_out, now);
        let gone = before.difference(&self.given_out).cloned();
        samples.extend(gone.map(|labels| (labels, model::stale_marker())));
        Ok(samples
            .into_iter()
            .map(|(labels, value)| (labels, looked_at, value.to_bits()))
            .collect())
    }

    /// Adds a look to each past; a past that is over begins anew.
    fn look(&mut self, above: Vec<(Labels, f64)>, at: i64) -> Result<(), String> {
        let setting = &self.setting;
        let mut present = BTreeMap::new();
        for (series, value) in above {
            let shown = (value, setting.annotations(&series, value));
            if present
                .insert(setting.labels(&series, value), shown)
                .is_some()
            {
                let message =
                    "vector contains metrics with the same labelset after applying alert labels";
                return Err(message.to_owned());
            }
        }
        for labels in present.keys() {
            let past = self.pasts.entry(labels.clone()).or_default();
            if past
                .verdict()
                .is_none_or(|verdict| verdict.state == AlertState::Inactive)
            {
                *past = Past::default();
            }
        }
        for (labels, past) in &mut self.pasts {
            past.looks.push(Look {
                at,
                present: present.remove(labels),
                hold: setting.hold,
                keep: setting.keep,
            });
        }
        self.pasts.retain(|_, past| past.verdict().is_some());
        Ok(())
    }
}

fn alert(labels: &Labels, verdict: Verdict, ends_at: i64, generator_url: String) -> Alert {
    Alert {
        labels: labels.clone(),
        annotations: (*verdict.annotations).clone(),
        value: Some(verdict.value),
        starts_at: Timestamp::from_millis(verdict.fired_at.unwrap()),
        ends_at: Timestamp::from_millis(ends_at),
        generator_url,
    }
}
