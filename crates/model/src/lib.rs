//! The words of the domain, and the ports at which the rooms of the house meet.
//!
//! Everything here is plain data or a trait: no I/O, no threads, no async. A crate that collects, stores,
//! queries or serves knows the others only through this one. Words: [`Labels`], [`Sample`], [`Matcher`],
//! [`MetricFamily`]. Ports: [`SampleSink`] (into the store), [`SeriesSource`] (out of it), [`Clock`], [`Disk`].

mod alert;
mod clock;
pub mod date;
mod disk;
pub mod duration;
mod family;
mod health;
mod host;
mod labels;
mod matcher;
mod metadata;
mod notification;
mod quote;
mod sample;
mod sink;
mod source;
mod timestamp;

pub use alert::Alert;
pub use clock::Clock;
pub use disk::{Disk, DiskFile};
pub use family::{MetricFamily, Point};
pub use health::{ComponentHealth, HealthState};
pub use host::{DiskUse, HostSummary, NetworkRate};
pub use labels::{
    InvalidLabels, Labels, LabelsBuilder, NAME, is_plain_label_name, is_plain_metric_name,
};
pub use matcher::{InvalidMatcher, MatchKind, Matcher, anchored_regex};
pub use metadata::{Metadata, MetricKind, UnknownMetricKind};
pub use notification::{DeliveryState, NotificationQuery, NotificationRecord, RecordedAlert};
pub use quote::quoted;
pub use sample::{Sample, is_stale, stale_marker};
pub use sink::{
    AppendError, Appended, KeyEncoding, RejectReason, Rejected, Row, SampleBatch, SampleSink,
};
pub use source::{SampleColumns, Scope, SelectedSeries, Selection, SeriesSource, SourceError};
pub use timestamp::Timestamp;
