//! Between the system's types and WASI's. The types of 0.2 and 0.3 have the same names and shapes and are different types,
//! so the conversions are written once and made for each.

/// Makes the conversions for the WASI types in scope: `unknown` is their word for what has no other, `time` builds their
/// point in time from `i64` seconds and `u32` nanoseconds where it can.
macro_rules! conversions {
    (unknown: $unknown:expr, time: $time:expr) => {
        fn follows(flags: PathFlags) -> bool {
            flags.contains(PathFlags::SYMLINK_FOLLOW)
        }

        /// A synthetic folder has no times of its own.
        fn synthetic_stat() -> DescriptorStat {
            DescriptorStat {
                type_: DescriptorType::Directory,
                link_count: 1,
                size: 0,
                data_access_timestamp: None,
                data_modification_timestamp: None,
                status_change_timestamp: None,
            }
        }

        fn descriptor_type(kind: FileType) -> DescriptorType {
            match kind {
                FileType::RegularFile => DescriptorType::RegularFile,
                FileType::Directory => DescriptorType::Directory,
                FileType::Symlink => DescriptorType::SymbolicLink,
                FileType::Fifo => DescriptorType::Fifo,
                FileType::Socket => DescriptorType::Socket,
                FileType::CharacterDevice => DescriptorType::CharacterDevice,
                FileType::BlockDevice => DescriptorType::BlockDevice,
                FileType::Unknown => $unknown,
            }
        }

        #[expect(
            clippy::cast_sign_loss,
            reason = "the widths and signs of these fields differ between systems; sizes are never negative"
        )]
        fn descriptor_stat(stat: &Stat) -> DescriptorStat {
            let time = |seconds: i64, nanoseconds: u64| {
                u32::try_from(nanoseconds)
                    .ok()
                    .and_then(|nanoseconds| $time(seconds, nanoseconds))
            };
            DescriptorStat {
                type_: descriptor_type(FileType::from_raw_mode(stat.st_mode)),
                link_count: stat.st_nlink as u64,
                size: stat.st_size as u64,
                data_access_timestamp: time(stat.st_atime as i64, stat.st_atime_nsec as u64),
                data_modification_timestamp: time(stat.st_mtime as i64, stat.st_mtime_nsec as u64),
                status_change_timestamp: time(stat.st_ctime as i64, stat.st_ctime_nsec as u64),
            }
        }

        fn hash_value((lower, upper): (u64, u64)) -> MetadataHashValue {
            MetadataHashValue { lower, upper }
        }

        fn open_request(
            path_flags: PathFlags,
            open_flags: OpenFlags,
            flags: DescriptorFlags,
        ) -> Result<OpenRequest, ErrorCode> {
            if flags.intersects(
                DescriptorFlags::FILE_INTEGRITY_SYNC
                    | DescriptorFlags::DATA_INTEGRITY_SYNC
                    | DescriptorFlags::REQUESTED_WRITE_SYNC,
            ) {
                return Err(ErrorCode::Unsupported);
            }
            Ok(OpenRequest {
                follow: follows(path_flags),
                create: open_flags.contains(OpenFlags::CREATE),
                directory: open_flags.contains(OpenFlags::DIRECTORY),
                exclusive: open_flags.contains(OpenFlags::EXCLUSIVE),
                truncate: open_flags.contains(OpenFlags::TRUNCATE),
                read: flags.contains(DescriptorFlags::READ),
                write: flags.contains(DescriptorFlags::WRITE),
            })
        }

        /// The system's form of a time to set; nothing where it is not to be changed.
        fn timespec(time: NewTimestamp) -> Result<Option<Timespec>, ErrorCode> {
            let (seconds, nanoseconds) = match time {
                NewTimestamp::NoChange => return Ok(None),
                NewTimestamp::Now => {
                    let now = SystemTime::now()
                        .duration_since(UNIX_EPOCH)
                        .map_err(|_| ErrorCode::Overflow)?;
                    let seconds = i64::try_from(now.as_secs()).map_err(|_| ErrorCode::Overflow)?;
                    (seconds, now.subsec_nanos())
                }
                NewTimestamp::Timestamp(time) => {
                    let seconds = i64::try_from(time.seconds).map_err(|_| ErrorCode::Overflow)?;
                    (seconds, time.nanoseconds)
                }
            };
            if nanoseconds >= 1_000_000_000 {
                return Err(ErrorCode::Invalid);
            }
            Ok(Some(Timespec {
                tv_sec: seconds,
                tv_nsec: nanoseconds.into(),
            }))
        }
    };
}

pub(super) use conversions;
