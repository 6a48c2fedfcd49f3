//! A container with everything that is made for it alone: none of it stays, however its command ends.

use std::collections::HashMap;

use super::daemon::Daemon;
use super::image::Image;
use super::overlay::{Laid, Work};
use super::porter::Porter;
use super::{DockerExecutor, lease, volumes};
use crate::error::Result;
use crate::exec::Job;

/// A container with its volumes, removed when it is dropped, in the background, or before that by [`Container::remove`].
pub(super) struct Container {
    /// Empty until it is made.
    pub(super) id: String,
    volumes: Vec<String>,
    /// What fills its copies.
    pub(super) porter: Porter,
    /// What its command works on, where that is reviewed.
    pub(super) work: Option<Work>,
    pub(super) daemon: Daemon,
    executor: DockerExecutor,
    /// It is removed already, or kept.
    pub(super) is_left: bool,
}

impl Container {
    /// Before it is made.
    pub(super) fn new(executor: &DockerExecutor, daemon: &Daemon) -> Self {
        Self {
            id: String::new(),
            volumes: Vec::new(),
            porter: Porter::default(),
            work: None,
            daemon: daemon.clone(),
            executor: executor.clone(),
            is_left: false,
        }
    }

    /// Makes the volumes that lie over its mounts, and fills those that are copies.
    ///
    /// # Errors
    /// E3405; those of [`Porter::carry_in`].
    pub(super) async fn make_volumes(
        &mut self,
        laid: &mut Laid,
        image: &Image,
        labels: &HashMap<String, String>,
        job: &Job,
    ) -> Result<()> {
        for copied in laid.copies.values() {
            // Before it is there: whoever is dropped meanwhile removes it.
            self.volumes.push(copied.volume.clone());
            let none = HashMap::new();
            volumes::create(&self.daemon, &copied.volume, none, labels.clone()).await?;
        }
        let porter = &mut self.porter;
        porter
            .carry_in(&self.daemon, image, laid, labels, &job.events)
            .await?;
        for (bind, overlay) in laid.overlays() {
            self.volumes.push(overlay.volume.clone());
            let options = overlay.options(&bind.host);
            volumes::create(&self.daemon, &overlay.volume, options, labels.clone()).await?;
        }
        Ok(())
    }

    /// Removes it and all that was made for it.
    ///
    /// # Errors
    /// E3405.
    pub(super) async fn remove(&mut self) -> Result<()> {
        clear(&self.daemon, [&self.id, &self.porter.id], &self.volumes).await?;
        self.is_left = true;
        Ok(())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Without a runtime the process is at its end, and the next sweep does it.
        if self.is_left || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (daemon, id) = (self.daemon.clone(), std::mem::take(&mut self.id));
        let porter = std::mem::take(&mut self.porter.id);
        let (volumes, work) = (std::mem::take(&mut self.volumes), self.work.take());
        self.executor.0.tasks.spawn(async move {
            if let Err(error) = clear(&daemon, [&id, &porter], &volumes).await {
                tracing::warn!(%error, id, "could not remove a container; the next sweep will");
            }
            // What it wrote goes after it: files are removed, which takes time.
            drop(tokio::task::spawn_blocking(move || drop(work)).await);
        });
    }
}

/// Removes containers, then the volumes that they used.
async fn clear(daemon: &Daemon, ids: [&str; 2], volumes: &[String]) -> Result<()> {
    for id in ids.into_iter().filter(|id| !id.is_empty()) {
        lease::remove(daemon, id).await?;
    }
    for volume in volumes {
        volumes::remove(daemon, volume).await?;
    }
    Ok(())
}
