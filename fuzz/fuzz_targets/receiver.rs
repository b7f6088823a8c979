//! A receiver reads the same after it is written, has one way (or, a guest, all), and keeps its address out of logs.
#![no_main]

use domain_channel::Channel;
use domain_notification::Receiver;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(receiver) = text.parse::<Receiver>() else { return };
    assert_eq!(receiver.to_string(), text);
    assert_eq!(
        serde_json::from_value::<Receiver>(serde_json::json!(receiver)).ok().as_ref(),
        Some(&receiver)
    );
    let ways = Channel::ALL.iter().filter(|&&channel| receiver.takes(channel)).count();
    match (receiver.guest(), receiver.address()) {
        (Some(guest), None) => assert_eq!((ways, guest.as_str()), (Channel::ALL.len(), text)),
        (None, Some(address)) => {
            assert!(ways == 1 && receiver.takes(address.channel()));
            assert!(!text.contains(char::is_control), "what would forge a header");
            let shown = format!("{receiver:?}");
            let (_, address) = text.split_once(':').expect("an address is a URI");
            assert!(address.len() < 8 || !shown.contains(address), "an address in a log");
        }
        (guest, address) => panic!("neither or both: {guest:?} {address:?}"),
    }
});
