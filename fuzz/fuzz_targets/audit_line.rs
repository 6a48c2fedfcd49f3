//! Bytes that claim to be a line of an audit log: reading them never panics, and what was read holds all that the line
//! said: written out again it reads as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolhatch::audit::Record;

/// The line of a record, as the log writes it.
fn line_of(record: &Record) -> String {
    let mut line = format!(
        r#"{{"specversion":"1.0","id":"{}","source":"toolhatch","type":"toolhatch.{}","time":"{}","seq":{},"prev":"{}","log":"{}""#,
        record.id, record.kind, record.time, record.seq, record.prev, record.log
    );
    for (name, value) in [
        ("executionid", &record.call),
        ("subject", &record.subject),
        ("plugin", &record.plugin),
        ("digest", &record.digest),
        ("principal", &record.principal),
        ("agentname", &record.agent),
        ("session", &record.session),
    ] {
        if let Some(value) = value {
            line.push_str(&format!(r#","{name}":{}"#, serde_json::json!(value)));
        }
    }
    if record.masked {
        line.push_str(r#","masked":true"#);
    }
    line.push_str(&format!(
        r#","datacontenttype":"application/json","data":{}}}"#,
        record.data
    ));
    line
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(record) = Record::parse(bytes) else {
        return;
    };
    assert!(record.data_value().is_object(), "the data of {record:?}");
    let line = line_of(&record);
    assert_eq!(Record::parse(line.as_bytes()), Ok(record));
});
