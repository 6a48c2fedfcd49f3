//! The runner: a small static program of ours that is the first process of every container (`runner/`). It starts the
//! command, ends it and all that it left, and says how it ended; it needs nothing of the image.
//!
//! It is put into a volume once for each daemon and version, and mounted read-only.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions, VolumeCreateRequest,
};
use bollard::query_parameters::{
    CreateContainerOptions, RemoveVolumeOptions, UploadToContainerOptionsBuilder,
};

use super::daemon::Daemon;
use super::error;
use super::image::Image;
use super::lease::{self, Owner};
use crate::config::ARCHITECTURE;
use crate::error::{Code, Error, Result};
use crate::exec::places::RUNNER_FOLDER;
use crate::exec::program::{self, BYTES, DIGEST};
use crate::ids::CallId;

/// A file of a megabyte is put there at once.
const FILLS_WITHIN: Duration = Duration::from_secs(120);

/// The name of the volume on every daemon.
pub(super) fn volume() -> String {
    format!("toolhatch-runner-{}", DIGEST.short())
}

/// Refuses to go on without the program, or on a daemon of another architecture.
///
/// # Errors
/// E3405.
pub(super) fn check(daemon: &Daemon) -> Result<()> {
    program::check("making a container")?;
    let architecture = &daemon.facts.architecture;
    let is_ours = architecture == ARCHITECTURE
        || (architecture == "arm64" && ARCHITECTURE == "aarch64")
        || (architecture == "amd64" && ARCHITECTURE == "x86_64");
    if is_ours {
        return Ok(());
    }
    Err(Error::new(
        Code::E3405,
        format!(
            "making a container: the daemon is {architecture}, and the runner of this build is for {ARCHITECTURE}"
        ),
    ))
}

/// Makes the volume, if it is not there. `image` is any that is there: a container is what files go into a volume through.
///
/// # Errors
/// E3405.
pub(super) async fn provide(daemon: &Daemon, image: &Image, owner: &Owner) -> Result<()> {
    check(daemon)?;
    let name = volume();
    match daemon.api.inspect_volume(&name).await {
        Ok(_) => return Ok(()),
        Err(why) if error::status(&why) == Some(404) => {}
        Err(why) => return Err(error::of("looking up the volume of the runner", why)),
    }
    fill(daemon, image, owner, &name).await
}

/// Puts the program into the volume again, where it turned out not to be there whole.
///
/// # Errors
/// E3405.
pub(super) async fn repair(daemon: &Daemon, image: &Image, owner: &Owner) -> Result<()> {
    let name = volume();
    // One that is in use stays, and is written over.
    drop(
        daemon
            .api
            .remove_volume(&name, None::<RemoveVolumeOptions>)
            .await,
    );
    fill(daemon, image, owner, &name).await
}

async fn fill(daemon: &Daemon, image: &Image, owner: &Owner, name: &str) -> Result<()> {
    let doing = "putting the runner into a volume";
    let labels = HashMap::from([(lease::APP.to_owned(), lease::APP_VALUE.to_owned())]);
    let volume = VolumeCreateRequest {
        name: Some(name.to_owned()),
        labels: Some(labels),
        ..VolumeCreateRequest::default()
    };
    daemon
        .api
        .create_volume(volume)
        .await
        .map_err(|why| error::of(doing, why))?;
    // It is never started: files can be put into it all the same.
    let body = ContainerCreateBody {
        image: Some(image.id.clone()),
        entrypoint: Some(vec!["/none".to_owned()]),
        // Others that sweep leave it alone, as long as this process lives.
        labels: Some(lease::labels(
            owner,
            &CallId::generate(),
            &DIGEST,
            FILLS_WITHIN,
            None,
        )),
        network_disabled: Some(true),
        host_config: Some(HostConfig {
            mounts: Some(vec![Mount {
                typ: Some(MountType::VOLUME),
                source: Some(name.to_owned()),
                target: Some(RUNNER_FOLDER.to_owned()),
                volume_options: Some(MountVolumeOptions {
                    no_copy: Some(true),
                    ..MountVolumeOptions::default()
                }),
                ..Mount::default()
            }]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let made = daemon
        .api
        .create_container(None::<CreateContainerOptions>, body)
        .await
        .map_err(|why| error::of(doing, why))?;
    let options = UploadToContainerOptionsBuilder::default()
        .path(RUNNER_FOLDER)
        .build();
    let archive = archive().map_err(|why| Error::new(Code::E3405, doing).caused_by(why))?;
    let archive = bytes::Bytes::from(archive);
    let put = daemon
        .api
        .upload_to_container(&made.id, Some(options), bollard::body_full(archive))
        .await
        .map_err(|why| error::of(doing, why));
    lease::remove(daemon, &made.id).await?;
    put
}

/// A tar archive with the one file `runner`.
fn archive() -> std::io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(BYTES.len() as u64);
    header.set_mode(0o555);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, "runner", BYTES)?;
    archive.into_inner()
}
