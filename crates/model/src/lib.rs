//! The words of the domain, and the ports at which the rooms of the house meet.
//!
//! Everything here is plain data or a trait: no I/O, no threads, no async. A crate that collects, stores,
//! queries or serves knows the others only through this one. Words: [`Labels`], [`Sample`], [`Histogram`], [`Exemplar`],
//! [`Matcher`], [`MetricFamily`]. Ports: [`SampleSink`] (into the store), [`SeriesSource`] (out of it),
//! [`StorageAdmin`] (to the store for whoever runs it), [`Clock`], [`Disk`].

mod alert;
mod budget;
mod clock;
pub mod date;
mod disk;
pub mod duration;
mod exemplar;
mod family;
mod health;
mod histogram;
mod host;
mod labels;
mod matcher;
mod metadata;
mod network;
mod notification;
mod quote;
mod sample;
mod sink;
mod source;
mod storage;
mod timestamp;

pub use alert::Alert;
pub use budget::{Budget, Reservation};
pub use clock::Clock;
pub use disk::{Disk, DiskFile, DiskRead, DiskSpace};
pub use exemplar::{EXEMPLAR_LABELS_MAX, Exemplar};
pub use family::{MetricFamily, Point};
pub use health::{ComponentHealth, HealthState};
pub use histogram::{
    BucketCounts, BucketSpan, CUSTOM_BUCKETS, CounterReset, Counts, Histogram, InvalidHistogram,
};
pub use host::{DiskUse, HostSummary, NetworkRate};
pub use labels::{
    InvalidLabels, Labels, LabelsBuilder, NAME, is_plain_label_name, is_plain_metric_name,
    packed_pairs,
};
pub use matcher::{InvalidMatcher, MatchKind, Matcher, anchored_regex};
pub use metadata::{Metadata, MetricKind, UnknownMetricKind};
pub use network::{InvalidNetwork, Network};
pub use notification::{DeliveryState, NotificationQuery, NotificationRecord, RecordedAlert};
pub use quote::quoted;
pub use sample::{Sample, is_stale, stale_marker};
pub use sink::{
    Announcement, Announcements, AppendError, Appended, ExemplarRow, HistogramRow, KeyEncoding,
    NextLabel, RejectReason, Rejected, Row, RowKind, SampleBatch, SampleSink, StartRow,
};
pub use source::{SampleColumns, Scope, SelectedSeries, Selection, SeriesSource, SourceError};
pub use storage::{
    BlockStatistics, HeadStatistics, NamedCount, StorageAdmin, StorageError, StorageStatistics,
};
pub use timestamp::Timestamp;
