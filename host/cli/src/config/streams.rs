//! How much streams may cost.

use std::time::Duration;

use anyhow::bail;
use innkeeper_admin::AdminConfig;
use innkeeper_runner::FeedLimits;

use super::settings::Settings;

/// A stream that is silent for longer is taken for a lost connection by clients, ours among them.
const HEARTBEAT_MAX: Duration = Duration::from_secs(30);

/// What is kept for readers that come back.
///
/// # Errors
/// A value is not valid.
pub(super) fn feeds(settings: &Settings) -> anyhow::Result<FeedLimits> {
    Ok(FeedLimits {
        messages_max: usize::try_from(settings.count("streams.messages", 1, 1 << 20)?)?,
        bytes_max: settings.bytes_in_memory("streams.bytes")?,
    })
}

/// `admin` with the readers that there may be.
///
/// # Errors
/// A value is not valid.
pub(super) fn readers(settings: &Settings, admin: AdminConfig) -> anyhow::Result<AdminConfig> {
    let heartbeat = settings.duration("streams.heartbeat")?;
    let stream_heartbeat = settings.read("streams.heartbeat", |text| {
        if heartbeat > HEARTBEAT_MAX {
            bail!(
                "`{text}` must be at most 30s: a stream that is silent for long looks like a lost connection"
            );
        }
        Ok(heartbeat)
    })?;
    Ok(AdminConfig {
        streams_max: usize::try_from(settings.count("streams.readers", 1, 1 << 16)?)?,
        streams_per_tenant_max: usize::try_from(settings.count("streams.readersPerTenant", 1, 1 << 16)?)?,
        stream_heartbeat,
        ..admin
    })
}
