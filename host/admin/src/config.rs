//! Settings of the admin API.

use std::path::PathBuf;
use std::time::Duration;

use crate::auth::Token;

/// Settings of the admin API: who may use it, and what a client may cost.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// What a client must present. `None` means that nobody needs to present anything, which is right only for a
    /// listener on a loopback address; then requests for other host names and from foreign web pages are refused.
    pub token: Option<Token>,
    /// Bytes of an uploaded component at most.
    pub upload_bytes_max: usize,
    /// The folder in which components are received, in files without a name; it is made if it is not there. `None` is the
    /// system's folder for temporary files.
    pub uploads_dir: Option<PathBuf>,
    /// Uploads that are received or compiled at once, of which [`AdminConfig::uploads_per_tenant_max`] are one tenant's;
    /// further ones wait, and tenants take turns.
    pub uploads_max: usize,
    /// Uploads of one tenant that are received or compiled at once.
    pub uploads_per_tenant_max: usize,
    /// Uploads of one tenant that wait at most; further ones are refused with 429.
    pub uploads_waiting_max: usize,
    /// Bytes of any other request body at most.
    pub body_bytes_max: usize,
    /// Bytes of memory that the bodies of requests in progress may take, those of one tenant a quarter of it. Uploads
    /// take none.
    pub bodies_bytes_max: usize,
    /// Connections at once; further clients wait in the listener's queue.
    pub connections_max: usize,
    /// Bytes of a request's head at most.
    pub header_bytes_max: usize,
    /// How long the head of a request may take. An idle connection is closed after the same time.
    pub header_timeout: Duration,
    /// How long the body of a request may take. That of an upload may pause for as long.
    pub body_timeout: Duration,
    /// How long an upload may take until it is received, waiting for its turn included.
    pub upload_timeout: Duration,
    /// How long a client may leave an answer unread.
    pub write_timeout: Duration,
    /// Bytes of the disk that must be free for the host to call itself ready.
    pub disk_free_min: u64,
    /// Streams at once.
    pub streams_max: usize,
    /// Streams of one tenant at once.
    pub streams_per_tenant_max: usize,
    /// How often a stream says that it is there. So often it is looked whether its token is still good.
    pub stream_heartbeat: Duration,
    /// How long requests in progress may take once the server stops.
    pub drain_timeout: Duration,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            token: None,
            upload_bytes_max: 32 << 20,
            uploads_dir: None,
            uploads_max: 4,
            uploads_per_tenant_max: 1,
            uploads_waiting_max: 32,
            body_bytes_max: 4 << 20,
            bodies_bytes_max: 1 << 30,
            connections_max: 1024,
            header_bytes_max: 16 << 10,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            upload_timeout: Duration::from_mins(5),
            write_timeout: Duration::from_secs(30),
            disk_free_min: 256 << 20,
            streams_max: 256,
            streams_per_tenant_max: 32,
            stream_heartbeat: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
