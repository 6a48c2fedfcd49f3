//! Volumes that live as long as one container: made with the same labels, and removed after it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptions};

use super::daemon::Daemon;
use super::lease::{self, Owner};
use super::{error, posture};
use crate::error::Result;

/// The driver that mounts what it is told to.
pub(super) const DRIVER: &str = "local";

/// A container that somebody else is removing lets go of its volumes within a moment.
const LET_GO_WITHIN: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Makes a volume and compares it with what it was to be: one of that name may have been there.
///
/// # Errors
/// E3405.
pub(super) async fn create(
    daemon: &Daemon,
    name: &str,
    options: HashMap<String, String>,
    labels: HashMap<String, String>,
) -> Result<()> {
    let doing = "making a volume";
    let request = VolumeCreateRequest {
        name: Some(name.to_owned()),
        driver: Some(DRIVER.to_owned()),
        driver_opts: Some(options.clone()),
        labels: Some(labels),
        ..VolumeCreateRequest::default()
    };
    let made = daemon.api.create_volume(request).await;
    made.map_err(|why| error::of(doing, why))?;
    let found = daemon.api.inspect_volume(name).await;
    let found = found.map_err(|why| error::of(doing, why))?;
    if found.driver == DRIVER && found.options == options {
        return Ok(());
    }
    let told = format!(
        "the volume {name} is {} with {:?} and not {DRIVER} with {options:?}",
        found.driver, found.options
    );
    Err(posture::refusal(&[told]))
}

/// Removes a volume. One that is gone already is no error, nor one that somebody still uses: the sweep takes that.
///
/// # Errors
/// E3405.
pub(super) async fn remove(daemon: &Daemon, name: &str) -> Result<()> {
    let gives_up = Instant::now() + LET_GO_WITHIN;
    loop {
        let options = None::<RemoveVolumeOptions>;
        let Err(why) = daemon.api.remove_volume(name, options).await else {
            return Ok(());
        };
        match error::status(&why) {
            Some(404) => return Ok(()),
            Some(409) if Instant::now() >= gives_up => {
                tracing::warn!(name, "a volume is still in use; the next sweep removes it");
                return Ok(());
            }
            Some(409) => tokio::time::sleep(LOOK_AGAIN).await,
            _ => return Err(error::of("removing a volume", why)),
        }
    }
}

/// Removes the volumes whose owner is gone; gives how many those were. That of the runner has no owner and stays.
///
/// # Errors
/// E3405.
pub(super) async fn sweep(daemon: &Daemon, here: &Owner) -> Result<usize> {
    let label = format!("{}={}", lease::APP, lease::APP_VALUE);
    let options = ListVolumesOptionsBuilder::default()
        .filters(&HashMap::from([("label", vec![label])]))
        .build();
    let found = daemon.api.list_volumes(Some(options)).await;
    let found = found.map_err(|why| error::of("listing volumes", why))?;
    let mut removed = 0;
    for volume in found.volumes.unwrap_or_default() {
        if lease::has_lease(&volume.labels) && lease::is_abandoned(&volume.labels, None, here) {
            remove(daemon, &volume.name).await?;
            removed += 1;
        }
    }
    Ok(removed)
}
